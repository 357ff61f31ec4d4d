/** JSON for the wire: bigints travel as decimal strings (their schemas turn them back), everything else as usual. */
export function encodeJson(value: unknown): string {
  return JSON.stringify(value, (_key, field) => (typeof field === 'bigint' ? field.toString() : field));
}
