export type Environment = Readonly<Record<string, string | undefined>>;

/** Absolute paths of our native programs. */
export interface NativePaths {
  /** The shell that make is given. */
  shellPath: string;
  /** What lies over the system's shells, and what puts it there. */
  standInPath: string;
  stagePath: string;
  /** What is loaded into make, for lines that are too long for one argument. */
  preloadPath: string;
  /** What stands in front of, or in the place of, compilers. */
  launcherPath: string;
}
