/**
 * What make tells the commands it starts about itself, and what means nothing, or something else, on another machine:
 * the terminal it writes to, and ourselves.
 */
const dropped = /^(?:MAKE_TERMOUT|MAKE_TERMERR|TERMITE_[A-Z_]*)=/;

/** Words of MAKEFLAGS about tokens for further commands: the descriptors, the FIFO and the lock behind them are not there. */
const jobserver = /^(?:-j\d*|--jobserver-(?:auth|fds)=.*|--sync-mutex=.*)$/;

/** Holds the $SHELL of whoever has started the build; see wrapper/build.ts. */
const callersShellVariable = 'TERMITE_CALLERS_SHELL';

/** Brings make to start a shell for every line, so that we are asked; see wrapper/on-stage.ts. */
const viaShell = 'IFS=,';

/** The shell that was put in for the real one, and the real one; both absolute paths. */
export interface Shells {
  own: string;
  real: string;
}

/**
 * The environment of a command that runs elsewhere: as the shell got it, less make's plumbing. A make that such a
 * command starts unseen builds one thing at a time, as it does below plain make, whose descriptors are closed to it,
 * and with the shell that its makefile names.
 *
 * @param env `K=V`; the order is kept
 */
export function jobEnvironment(env: readonly string[], shells: Shells): string[] {
  return env.flatMap((entry) => {
    if (dropped.test(entry)) return [];
    const [name = '', value = ''] = splitOnce(entry);
    if (entry === `SHELL=${shells.own}`) return callersShell(env);
    if (isFlags(name)) return [`${name}=${scrubFlags(value, shells.own, { keepsJobserver: false })}`];
    return value === shells.own ? [`${name}=${shells.real}`] : [entry];
  });
}

/**
 * What makes the environment of a command that runs here, and whose children are no part of the build, that of one without us,
 * but for our own variables: a make that it starts for itself uses the machine's shell. The jobserver stays.
 *
 * @returns `K=V` for what is set, `K` for what is taken away
 */
export function plainEnvironmentEdits(env: readonly string[], { own, real }: Shells): string[] {
  return env.flatMap((entry) => {
    const [name = '', value = ''] = splitOnce(entry);
    if (name.startsWith('TERMITE_')) return [];
    if (entry === `SHELL=${own}`) return callersShell(env, ['SHELL']);
    const plain = isFlags(name)
      ? scrubFlags(value, own, { keepsJobserver: true })
      : value === own
        ? real
        : value;
    return plain === value ? [] : [`${name}=${plain}`];
  });
}

/** $SHELL is not make's business: commands see that of its caller, which was covered by ours. */
function callersShell(env: readonly string[], none: string[] = []): string[] {
  const prefix = `${callersShellVariable}=`;
  const value = env.findLast((entry) => entry.startsWith(prefix))?.slice(prefix.length) ?? '';
  return value === '' ? none : [`SHELL=${value}`];
}

function isFlags(name: string): boolean {
  return name === 'MAKEFLAGS' || name === 'MFLAGS' || name === 'GNUMAKEFLAGS';
}

/**
 * The arguments of a command that runs elsewhere. A recipe that says `$(SHELL)` names our shell, which need not be
 * there, and must not get into what the recipe writes: it is given the name of the real one.
 */
export function jobArguments(argv: readonly string[], { own, real }: Shells): string[] {
  return argv.map((word) => (word.includes(own) ? word.replaceAll(ownWord(own), () => real) : word));
}

/** The path where it does not go on as a longer one. */
function ownWord(own: string): RegExp {
  return new RegExp(`(?<![\\w./-])${own.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?![\\w./-])`, 'g');
}

function splitOnce(entry: string): [string, string?] {
  const at = entry.indexOf('=');
  return at < 0 ? [entry] : [entry.slice(0, at), entry.slice(at + 1)];
}

function scrubFlags(
  flags: string,
  ownShell: string,
  { keepsJobserver }: { keepsJobserver: boolean },
): string {
  // make puts a backslash before each blank inside of a word.
  const words: string[] = flags.match(/(?:\\.|[^\\ ])+/gs) ?? [];
  const dashes = words.indexOf('--');
  const options = (dashes < 0 ? words : words.slice(0, dashes)).filter(
    (word) => word !== viaShell && (keepsJobserver || !jobserver.test(word)),
  );
  const variables = (dashes < 0 ? [] : words.slice(dashes + 1)).filter(
    (word) => word !== viaShell && word.replaceAll(/\\(.)/gs, '$1') !== `SHELL=${ownShell}`,
  );
  // A leading blank says that the first word holds no single letters: "-j4" is an option, "j4" would be two letters.
  const lead = flags.startsWith(' ') && (options.length > 0 || variables.length > 0) ? ' ' : '';
  return lead + [...options, ...(variables.length > 0 ? ['--', ...variables] : [])].join(' ');
}
