import { availableParallelism } from 'node:os';
import type { ControlReply, SessionWishes } from '../protocol/control.ts';
import type { RunRequest } from '../protocol/run-request.ts';
import type { CacheService } from './cache-service.ts';
import type { Caller } from './caller.ts';
import { CompilationDatabase } from './compilation-database.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { ExecutorPool } from './executor-pool.ts';
import type { LocalRules } from './local-rules.ts';
import type { Parking } from './parking.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import type { Workspace } from './workspace.ts';

export interface MasterServiceOptions {
  sessions: Sessions;
  dispatcher: Dispatcher;
  pool: ExecutorPool;
  rules: LocalRules;
  workspace: Workspace;
  cache: Pick<CacheService, 'answer'>;
  /** Absent: it never waits for builds. */
  parking: Pick<Parking, 'admit'> | undefined;
  /** Begins to end this master. */
  stop(): void;
  /** Whether its end has begun: what is opened now would be broken off. */
  isEnding(): boolean;
  /** What every build should be told at its beginning. */
  problem: string | undefined;
}

/** What a master does for those who connect to its socket. */
export class MasterService {
  readonly sessions: Sessions;
  readonly cache: MasterServiceOptions['cache'];
  readonly #options: MasterServiceOptions;

  constructor(options: MasterServiceOptions) {
    this.sessions = options.sessions;
    this.cache = options.cache;
    this.#options = options;
  }

  /** How many commands make should start at once: enough for all slots, and for what runs here. */
  get jobCount(): number {
    return Math.max(this.#options.pool.slotCount, availableParallelism());
  }

  /** Whether the user has any. @throws AppError as `openSession` */
  get hasRules(): boolean {
    return this.#options.rules.current().rules.length > 0;
  }

  run(request: RunRequest, caller: Caller): Promise<void> {
    return this.#options.dispatcher.dispatch(request, caller, this.sessions.of(request.env));
  }

  /** To be asked before a session is opened. @returns false when whoever comes has to look for another master */
  async admit(...who: Parameters<Parking['admit']>): Promise<boolean> {
    const { parking, workspace, isEnding, stop } = this.#options;
    using _session = this.sessions.expect();
    if (isEnding() || !((await parking?.admit(...who)) ?? true)) return false;
    if (await workspace.beginSession()) return true;
    stop();
    return false;
  }

  /** @throws AppError `bad-configuration` when the rules are wrong: better now than at the first command */
  openSession(send: Parameters<Sessions['open']>[0], wishes: SessionWishes): Session {
    const { check, compileCommands, environment } = wishes;
    this.#options.rules.current();
    const session = this.sessions.open(send, {
      ...{ check, environment },
      compileCommands: compileCommands === undefined ? undefined : new CompilationDatabase(compileCommands),
    });
    if (this.#options.problem !== undefined) session.notice('problem', this.#options.problem);
    return session;
  }

  status(): Omit<Extract<ControlReply, { op: 'status' }>, 'op'> {
    const { pool, workspace } = this.#options;
    return {
      pid: process.pid,
      root: workspace.projectRoot,
      executors: pool.members(),
      sessions: this.sessions.count,
      files: workspace.fileCount,
      epoch: workspace.systemChanges.epoch,
    };
  }

  stop(): void {
    this.#options.stop();
  }
}
