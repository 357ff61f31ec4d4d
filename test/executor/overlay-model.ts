import { constants } from 'node:fs';
import { digestOf } from '../../cas/digest.ts';
import { type UpperEntry, UpperFlag } from '../../executor/box-messages.ts';
import type { Digest } from '../../protocol/digest.ts';
import type { TreeNode } from '../../protocol/job.ts';
import type { MemoryTree } from './memory-tree.ts';

const { S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR } = constants;

interface Inode {
  ino: bigint;
  nlink: number;
  node: TreeNode;
}

interface Layer {
  /** Absent: a whiteout. */
  inode?: Inode;
  isOpaque: boolean;
  redirect: string | undefined;
  children: Map<string, Layer>;
}

/** Where a path of the merged tree stands: in the layer, in the base, or as a directory in both. */
interface Place {
  layer: Layer | undefined;
  /** Path in the base of the directory that shows through, or of what is not in the layer; null: none. */
  lower: string | null;
}

/**
 * What the kernel's overlay does with its writable layer, as far as harvest() must understand it, including
 * redirect_dir=on. Operations throw where system calls would fail. Source: fs/overlayfs in Linux 6.18.
 */
export class OverlayModel {
  readonly #base: MemoryTree;
  readonly #root: Layer = { inode: makeInode({ type: 'directory', mode: 0o755, mtimeNs: 0n }), ...plain() };

  constructor(base: MemoryTree) {
    this.#base = base;
  }

  /** undefined: nothing there. */
  look(path: string): TreeNode | undefined {
    const place = this.#place(path);
    return place && (place.layer ? place.layer.inode!.node : this.#base.nodes.get(place.lower!));
  }

  names(path: string): string[] {
    const place = this.#place(path);
    if (!place) return [];
    const names = new Set(place.lower === null ? [] : this.#base.namesIn(place.lower));
    for (const [name, child] of place.layer?.children ?? []) {
      if (child.inode) names.add(name);
      else names.delete(name);
    }
    return [...names];
  }

  create(path: string, node: TreeNode): void {
    if (this.look(path)) throw new Error('EEXIST');
    const parent = this.#parent(path);
    const isOverWhiteout = parent.layer!.children.has(nameOf(path));
    const isOpaque = node.type === 'directory' && isOverWhiteout;
    parent.layer!.children.set(nameOf(path), { inode: makeInode(node), ...plain(), isOpaque });
  }

  change(path: string, node: TreeNode): void {
    if (this.look(path)?.type !== node.type) throw new Error('EINVAL');
    this.#copyUp(path).layer!.inode!.node = node;
  }

  link(from: string, to: string): void {
    if (this.look(to) || this.look(from)?.type !== 'file') throw new Error('EEXIST');
    const parent = this.#parent(to);
    const { inode } = this.#copyUp(from).layer!;
    inode!.nlink += 1;
    parent.layer!.children.set(nameOf(to), { inode: inode!, ...plain() });
  }

  remove(path: string): void {
    const node = this.look(path);
    if (!node || this.names(path).length > 0) throw new Error('ENOENT');
    const parent = this.#parent(path);
    const layer = parent.layer!.children.get(nameOf(path));
    if (layer?.inode) layer.inode.nlink -= 1;
    this.#uncover(parent, nameOf(path));
  }

  rename(from: string, to: string): void {
    const node = this.look(from);
    if (!node || from === to || `${to}/`.startsWith(`${from}/`)) throw new Error('EINVAL');
    const target = this.look(to);
    if (target) {
      if ((target.type === 'directory') !== (node.type === 'directory')) throw new Error('EISDIR');
      this.remove(to);
    }
    const oldParent = this.#parent(from);
    const newParent = this.#parent(to);
    const { layer, lower } = this.#copyUp(from);
    if (node.type === 'directory') {
      if (lower === null) {
        if (newParent.lower !== null) layer!.isOpaque = true;
      } else if (oldParent.layer === newParent.layer) layer!.redirect ??= nameOf(from);
      else layer!.redirect = `/${lower}`;
    }
    this.#uncover(oldParent, nameOf(from));
    newParent.layer!.children.set(nameOf(to), layer!);
  }

  /** What the box reports, parents first. */
  entries(): UpperEntry[] {
    const entries: UpperEntry[] = [];
    const visit = (path: string, layer: Layer) => {
      if (path !== '') entries.push(toEntry(path, layer));
      for (const [name, child] of layer.children) visit(path === '' ? name : `${path}/${name}`, child);
    };
    visit('', this.#root);
    return entries;
  }

  /** Of a file in the layer. */
  digestOf({ path }: UpperEntry): Digest {
    const node = this.look(path);
    return node?.type === 'file' ? node.digest : digestOf(new Uint8Array());
  }

  #place(path: string): Place | undefined {
    let place: Place = { layer: this.#root, lower: '' };
    for (const name of path === '' ? [] : path.split('/')) {
      const layer = place.layer?.children.get(name);
      if (layer && !layer.inode) return undefined;
      const beside = place.lower === null ? null : join(place.lower, name);
      if (!layer) {
        if (beside === null || !this.#base.nodes.has(beside)) return undefined;
        place = { layer: undefined, lower: beside };
      } else {
        place = {
          layer,
          lower: layer.inode!.node.type === 'directory' ? this.#lowerOf(layer, place.lower, beside) : null,
        };
      }
    }
    return place;
  }

  #lowerOf({ isOpaque, redirect }: Layer, parentLower: string | null, beside: string | null): string | null {
    if (isOpaque) return null;
    let lower = beside;
    if (redirect?.startsWith('/')) lower = redirect.slice(1);
    else if (redirect !== undefined && parentLower !== null) lower = join(parentLower, redirect);
    return lower !== null && this.#base.nodes.get(lower)?.type === 'directory' ? lower : null;
  }

  #copyUp(path: string): Place {
    const place = this.#place(path);
    if (!place) throw new Error('ENOENT');
    if (place.layer) return place;
    const parent = this.#copyUp(parentOf(path));
    const node = this.#base.nodes.get(place.lower!)!;
    const layer = { inode: makeInode(node), ...plain() };
    parent.layer!.children.set(nameOf(path), layer);
    return { layer, lower: node.type === 'directory' ? place.lower : null };
  }

  #parent(path: string): Place {
    if (this.look(parentOf(path))?.type !== 'directory') throw new Error('ENOTDIR');
    return this.#copyUp(parentOf(path));
  }

  /** Takes a name out of a directory, also when the base would show through. */
  #uncover(parent: Place, name: string): void {
    if (parent.lower !== null && this.#base.nodes.has(join(parent.lower, name)))
      parent.layer!.children.set(name, plain());
    else parent.layer!.children.delete(name);
  }
}

let lastIno = 0n;

function makeInode(node: TreeNode): Inode {
  lastIno += 1n;
  return { ino: lastIno, nlink: 1, node };
}

function plain() {
  return { isOpaque: false, redirect: undefined as string | undefined, children: new Map<string, Layer>() };
}

function toEntry(path: string, { inode, isOpaque, redirect }: Layer): UpperEntry {
  const entry = { path, sizeBytes: 0, mtimeNs: 0n, ino: 0n, nlink: 2, flags: 0, target: '' };
  if (!inode) return { ...entry, mode: S_IFCHR, flags: UpperFlag.whiteout };
  const { ino, nlink, node } = inode;
  if (node.type === 'symlink') {
    const { target, mtimeNs } = node;
    return { ...entry, mode: S_IFLNK | 0o777, ino, nlink, target, mtimeNs: mtimeNs ?? 0n };
  }
  if (node.type === 'file') {
    return {
      ...entry,
      mode: S_IFREG | node.mode,
      ino,
      nlink,
      mtimeNs: node.mtimeNs,
      sizeBytes: node.digest.sizeBytes,
    };
  }
  if (node.type === 'fifo') throw new Error('No FIFOs here');
  const flags = (isOpaque ? UpperFlag.opaque : 0) | (redirect === undefined ? 0 : UpperFlag.redirect);
  return { ...entry, mode: S_IFDIR | node.mode, ino, mtimeNs: node.mtimeNs!, flags, target: redirect ?? '' };
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
