import { z } from 'zod';

const variable = z.string().regex(/^[A-Za-z_]\w*$/, 'expected the name of a variable');
const pattern = z
  .string()
  .regex(/^[A-Za-z_]\w*\*?$/, 'expected the name of a variable, or the beginning of names followed by "*"');
const value = z.string().regex(/^[^\0]*$/, 'expected a value without NUL');

/** What a rule may say about variables. */
export const environmentRuleSchema = z
  .strictObject({
    Ignore: z.array(pattern).default([]),
    Count: z.array(pattern).default([]),
    Unset: z.array(pattern).default([]),
    Set: z.record(variable, value).default({}),
  })
  .superRefine(({ Ignore, Count, Unset, Set: values }, context) => {
    const both = (name: string, path: PropertyKey[], other: string) =>
      context.addIssue({ code: 'custom', path, message: `${name} is in "${other}" too` });
    Count.forEach((name, index) => {
      if (Ignore.includes(name)) both(name, ['Count', index], 'Ignore');
    });
    Unset.forEach((name, index) => {
      if (Object.hasOwn(values, name)) both(name, ['Unset', index], 'Set');
    });
  });

/** Names may end in `*`, for all that begin so. */
export interface EnvironmentRule {
  /** The command gets them, but its result is used under other values too. */
  ignored: readonly string[];
  /** Count although they are among those that usually do not. */
  counted: readonly string[];
  /** The command does not get them. */
  unset: readonly string[];
  /** What the command gets instead of what the caller has. */
  set: Readonly<Record<string, string>>;
}

export const noEnvironmentRule: EnvironmentRule = { ignored: [], counted: [], unset: [], set: {} };

export function environmentRule(entry: z.infer<typeof environmentRuleSchema>): EnvironmentRule {
  return { ignored: entry.Ignore, counted: entry.Count, unset: entry.Unset, set: entry.Set };
}

/** Whether a variable is among those named. */
export function isNamed(name: string, patterns: readonly string[]): boolean {
  return patterns.some((entry) =>
    entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : name === entry,
  );
}

/** What a rule changes in an environment of `K=V`: `K=V` for what is set, `K` for what is taken away. */
export function environmentEdits(env: readonly string[], { unset, set }: EnvironmentRule): string[] {
  const names = unset.length === 0 ? [] : env.map(nameOf).filter((name) => isNamed(name, unset));
  return [...new Set(names), ...Object.entries(set).map(([name, text]) => `${name}=${text}`)];
}

/** The environment after edits. */
export function editEnvironment(env: string[], edits: readonly string[]): string[] {
  if (edits.length === 0) return env;
  const edited = new Set(edits.map(nameOf));
  return [
    ...env.filter((entry) => !edited.has(nameOf(entry))),
    ...edits.filter((edit) => edit.includes('=')),
  ];
}

/** An entry that begins with `=`, or has none, has no name but itself. */
export function nameOf(entry: string): string {
  const end = entry.indexOf('=');
  return end > 0 ? entry.slice(0, end) : entry;
}
