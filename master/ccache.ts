/** Said once in a build. */
export const ccacheNotice =
  'ccache is switched off where its results are kept here as well: CCACHE_DISABLE=1';

const own = /(?:^|[\s;&|(/'"])ccache(?=[\s'"]|$)/;
const onPath = /^PATH=(?:.*[:/])?ccache(?:\/libexec)?(?::|$)/;

/**
 * What keeps ccache out of a command that runs elsewhere: it would write into its own cache, which is not there, and every
 * result would be lost for ours. It becomes the compiler then. Undefined where there is none, or its user has it switched
 * off already.
 *
 * @param line of the command
 * @param env `K=V`
 * @returns an entry for the environment. Source: ccache(1), "disable"
 */
export function withoutCcache(line: string, env: readonly string[]): string | undefined {
  const isUsed = own.test(line) || env.some((entry) => onPath.test(entry));
  return isUsed && !env.some((entry) => entry.startsWith('CCACHE_DISABLE=')) ? 'CCACHE_DISABLE=1' : undefined;
}
