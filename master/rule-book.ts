/** What decides where commands run, for whoever explains it without a master. */
export { type BuiltInRule, builtInRules } from './built-in-rules.ts';
export type { LocalRule, Treatment } from './local-rule.ts';
export { LocalRules } from './local-rules.ts';
export { type LocalReason, type Placement, place } from './placement.ts';
