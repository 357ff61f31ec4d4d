/**
 * What make tells the commands it starts about itself, and what means nothing, or something else, on another machine:
 * the terminal it writes to, and ourselves. TERMITE_SHELL stays: `$(SHELL) script` names our shell, which has to
 * know the real one wherever it runs.
 */
const dropped = /^(?:MAKE_TERMOUT|MAKE_TERMERR|TERMITE_(?!SHELL=)[A-Z_]*)=/;

/** Words of MAKEFLAGS about tokens for further commands: the descriptors, the FIFO and the lock behind them are not there. */
const jobserver = /^(?:-j\d*|--jobserver-(?:auth|fds)=.*|--sync-mutex=.*)$/;

/**
 * The environment of a command that runs elsewhere: as the shell got it, less make's plumbing. A make that such a
 * command starts unseen builds one thing at a time, as it does below plain make, whose descriptors are closed to it,
 * and with the shell that its makefile names.
 *
 * @param env `K=V`; the order is kept
 * @param ownShell absolute path of the shell that was put in for /bin/sh
 */
export function jobEnvironment(env: readonly string[], ownShell: string): string[] {
  return env.flatMap((entry) => {
    if (dropped.test(entry) || entry === `SHELL=${ownShell}`) return [];
    const name = /^(?:MAKEFLAGS|MFLAGS)=/.exec(entry)?.[0];
    return name === undefined ? [entry] : [name + scrubFlags(entry.slice(name.length), ownShell)];
  });
}

function scrubFlags(flags: string, ownShell: string): string {
  // make puts a backslash before each blank inside of a word.
  const words: string[] = flags.match(/(?:\\.|[^\\ ])+/gs) ?? [];
  const dashes = words.indexOf('--');
  const options = (dashes < 0 ? words : words.slice(0, dashes)).filter((word) => !jobserver.test(word));
  const variables = (dashes < 0 ? [] : words.slice(dashes + 1)).filter(
    (word) => word.replaceAll(/\\(.)/gs, '$1') !== `SHELL=${ownShell}`,
  );
  // A leading blank says that the first word holds no single letters: "-j4" is an option, "j4" would be two letters.
  const lead = flags.startsWith(' ') && (options.length > 0 || variables.length > 0) ? ' ' : '';
  return lead + [...options, ...(variables.length > 0 ? ['--', ...variables] : [])].join(' ');
}
