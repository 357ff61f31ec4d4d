export type Environment = Readonly<Record<string, string | undefined>>;

/** Where parts of this package are. */
export interface ShellPaths {
  /** Absolute path of the shell that make is given. */
  shellPath: string;
}
