import type { Manifest, TreeNode } from '../protocol/job.ts';
import type { Deviation } from './compare-manifests.ts';

/**
 * One sentence for people, without full stop.
 *
 * @param at offset of the first byte that is not the same, where both are content and it was looked for
 */
export function describeDeviation(deviation: Deviation, at: number | undefined): string {
  const content = at === undefined ? 'has other content' : `differs at byte ${at}`;
  switch (deviation.kind) {
    case 'path':
      return `"${deviation.path}" ${describeNodes(deviation.was, deviation.is, content)}`;
    case 'links':
      return `"${deviation.path}" is a hard link to another file`;
    case 'stdout':
    case 'stderr':
      return `${deviation.kind} ${content}`;
    case 'status':
      return `it ended with ${describeEnd(deviation.is)} instead of ${describeEnd(deviation.was)}`;
  }
}

function describeNodes(was: TreeNode | null, is: TreeNode | null, content: string): string {
  if (was?.type !== 'file' || is?.type !== 'file')
    return `is ${describeNode(is)} instead of ${describeNode(was)}`;
  const parts = [
    ...(was.digest.hash === is.digest.hash ? [] : [content]),
    ...(was.mode === is.mode ? [] : [`has mode ${octal(is.mode)} instead of ${octal(was.mode)}`]),
  ];
  return parts.join(' and ');
}

function describeNode(node: TreeNode | null): string {
  if (node === null) return 'absent';
  if (node.type === 'symlink') return `a link to "${node.target}"`;
  return `a ${node.type} with mode ${octal(node.mode)}`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function describeEnd(status: Manifest['status']): string {
  return status.kind === 'exit' ? `status ${status.code}` : `signal ${status.signal}`;
}
