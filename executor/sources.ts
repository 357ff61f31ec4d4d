import type { Job } from '../protocol/job.ts';
import { ByteLru } from './byte-lru.ts';
import { Content, type ContentStore } from './content.ts';
import { type Origin, originKey } from './origin.ts';

/** How many machines' jobs are expected at the same time. */
const maxSources = 64;
const directoryCacheBytes = 64 * 1024 * 1024;

export interface Source {
  origin: Origin;
  content: Content;
}

export interface SourcesOptions {
  /** Of this executor, for failures. */
  name: string;
  store: ContentStore & { readonly dir: string };
  /** Closed when it is not needed any more, if it can be. */
  openOrigin: (origin: Job['origin']) => Origin & Partial<AsyncDisposable>;
}

/** The machines that jobs come from, and their content; opened on demand, kept, the least recently used closed. */
export class Sources implements AsyncDisposable {
  readonly #options: SourcesOptions;
  readonly #directories = new ByteLru(directoryCacheBytes);
  readonly #sources = new Map<string, Source & { close: () => unknown }>();

  constructor(options: SourcesOptions) {
    this.#options = options;
  }

  of(origin: Job['origin']): Source {
    const key = originKey(origin);
    const source = this.#sources.get(key) ?? this.#open(origin);
    this.#sources.delete(key);
    this.#sources.set(key, source);
    const [oldestKey, oldest] = this.#sources.entries().next().value!;
    if (this.#sources.size > maxSources) {
      this.#sources.delete(oldestKey);
      void oldest.close();
    }
    return source;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sources.values()].map(({ close }) => close()));
    // What is still being fetched must not come into a store that is not ours any more.
    await Promise.all([...this.#sources.values()].map(({ content }) => content.idle()));
    this.#sources.clear();
  }

  #open(id: Job['origin']) {
    const { name, store, openOrigin } = this.#options;
    const origin = openOrigin(id);
    const { blobs: source, here } = origin;
    const fill = here?.storeDir === store.dir ? here.fill : undefined;
    return {
      origin,
      content: new Content({ name, store, source, fill, directories: this.#directories }),
      close: () => origin[Symbol.asyncDispose]?.(),
    };
  }
}
