import { AsyncLocalStorage } from 'node:async_hooks';

/** What rigs may ask of the test that took them. */
export interface TestContext {
  readonly title: string;
  /** Runs after the test and everything it disposed of; an error thrown here fails the test. */
  onEnd(callback: (outcome: { failed: boolean }) => unknown): void;
}

const storage = new AsyncLocalStorage<TestContext>();

export function runInTest<T>(context: TestContext, body: () => T): T {
  return storage.run(context, body);
}

/** The test that the caller belongs to; undefined outside of tests. */
export function currentTest(): TestContext | undefined {
  return storage.getStore();
}
