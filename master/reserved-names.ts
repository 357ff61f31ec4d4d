/** Begins the names under which outputs are written before they are renamed into place; never part of the project. */
export const temporaryPrefix = '.termite-tmp-';

/** Whether a path leads to, or through, something with such a name. */
export function isTemporary(path: string): boolean {
  return `/${path}`.includes(`/${temporaryPrefix}`);
}
