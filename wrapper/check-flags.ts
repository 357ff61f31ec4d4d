import type { Check } from '../protocol/control.ts';
import { AppError } from '../runtime/app-error.ts';

/**
 * What `--verify[=PERCENT]` and `--twice` ask for.
 *
 * @throws AppError `bad-arguments` for a percentage that is none, and for both at once
 */
export function checkOf(flags: ReadonlyMap<string, string>, command: string): Check | undefined {
  const verify = flags.get('verify');
  const bad = (problem: string) =>
    new AppError(`"${command}": ${problem}`, {
      ...{ code: 'bad-arguments', category: 'caller', hint: `See "${command} --help"` },
    });
  if (flags.has('twice')) {
    if (verify !== undefined) throw bad('--verify and --twice exclude each other');
    return { kind: 'twice' };
  }
  if (verify === undefined) return undefined;
  const percent = verify === '' ? 100 : Number(verify);
  if (!(percent >= 0 && percent <= 100)) throw bad(`--verify needs a percentage: "${verify}" is none`);
  return { kind: 'hits', percent };
}
