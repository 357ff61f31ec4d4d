import { z } from 'zod';

/** `HOST:PORT`, with an IPv6 host in brackets; port 0 is any free one. */
export const listenAddressSchema = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:[\]]+):\d{1,5}$/, 'expected HOST:PORT')
  .refine((text) => Number(portOf(text)) <= 65535, 'expected a port up to 65535');

/** The parts of an address that the schema has accepted. */
export function parseListenAddress(text: string): { host: string; port: number } {
  const port = portOf(text);
  return { host: text.slice(0, -port.length - 1).replace(/^\[|\]$/g, ''), port: Number(port) };
}

function portOf(text: string): string {
  return text.slice(text.lastIndexOf(':') + 1);
}
