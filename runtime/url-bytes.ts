import { decodeBytes, encodeBytes } from './byte-path.ts';

/** Percent-encodes the bytes of an operating-system string (runtime/byte-path.ts) as one component of a URL. */
export function encodeUrlBytes(text: string): string {
  if (text.isWellFormed()) return encodeURIComponent(text);
  let encoded = '';
  for (const byte of encodeBytes(text)) encoded += `%${byte.toString(16).padStart(2, '0')}`;
  return encoded;
}

/** The inverse of `encodeUrlBytes`. Never throws: a "%" without two hex digits stands for itself. */
export function decodeUrlBytes(component: string): string {
  if (!component.includes('%')) return component;
  const bytes = component.replace(/%([0-9a-fA-F]{2})/g, (_match, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return decodeBytes(Buffer.from(bytes, 'latin1'));
}
