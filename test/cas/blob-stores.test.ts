import { chmodSync, writeFileSync } from 'node:fs';
import { blobRoutes } from '../../cas/blob-server.ts';
import type { BlobStore } from '../../cas/blob-store.ts';
import { FileBlobStore } from '../../cas/file-blob-store.ts';
import { HttpBlobStore } from '../../cas/http-blob-store.ts';
import { MemoryBlobStore } from '../../cas/memory-blob-store.ts';
import { ReadThroughBlobStore } from '../../cas/read-through-blob-store.ts';
import { VerifyingBlobStore } from '../../cas/verifying-blob-store.ts';
import type { Digest } from '../../protocol/digest.ts';
import { HttpClient } from '../../runtime/http-client.ts';
import { HttpServer } from '../../runtime/http-server.ts';
import { Scope } from '../../runtime/scope.ts';
import { type BlobStoreRig, blobStoreContract } from '../contracts/blob-store.ts';
import { testToken } from '../fixtures/token.ts';
import { tempDir } from '../harness/temp-dir.ts';

blobStoreContract({ name: 'MemoryBlobStore', create: async () => rigOf(new MemoryBlobStore()) });

blobStoreContract({ name: 'FileBlobStore', create: fileRig, canCorrupt: true });

blobStoreContract({
  name: 'VerifyingBlobStore',
  create: async () => {
    const inner = new LyingBlobStore();
    return {
      ...rigOf(new VerifyingBlobStore(inner)),
      corrupt: async (digest, content) => inner.lie(digest, content),
    };
  },
  canCorrupt: true,
});

blobStoreContract({
  name: 'HttpBlobStore',
  create: async () => {
    const inner = new LyingBlobStore();
    return { ...(await httpRig(inner)), corrupt: async (digest, content) => inner.lie(digest, content) };
  },
});

blobStoreContract({
  name: 'HttpBlobStore over FileBlobStore',
  create: async () => httpRigOver(await fileRig()),
});

blobStoreContract({
  name: 'ReadThroughBlobStore, all put near',
  create: async () => rigOf(new ReadThroughBlobStore(new MemoryBlobStore(), new MemoryBlobStore())),
});

blobStoreContract({
  name: 'ReadThroughBlobStore, all put far',
  create: async () => {
    const far: BlobStore = new MemoryBlobStore();
    const store = new ReadThroughBlobStore(new MemoryBlobStore(), far);
    // Where it stores and what it calls missing is the near store's business; here all of it is far.
    return rigOf({
      findMissing: (digests, options) => far.findMissing(digests, options),
      get: store.get.bind(store),
      getMany: store.getMany.bind(store),
      read: store.read.bind(store),
      put: (digest, content, options) => far.put(digest, content, options),
    });
  },
});

function rigOf(store: BlobStore): BlobStoreRig {
  return { store, [Symbol.asyncDispose]: async () => {} };
}

async function fileRig(): Promise<BlobStoreRig> {
  const dir = await tempDir();
  const store = await FileBlobStore.open(dir.join('store'));
  return {
    store,
    corrupt: async (digest, content) => {
      chmodSync(store.pathOf(digest), 0o644);
      writeFileSync(store.pathOf(digest), content);
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

async function httpRig(inner: BlobStore): Promise<BlobStoreRig> {
  const scope = new Scope();
  const server = scope.use(await HttpServer.listen(blobRoutes(inner), testToken));
  const client = scope.use(new HttpClient(server.url, testToken));
  return { store: new HttpBlobStore(client), [Symbol.asyncDispose]: () => scope.close() };
}

async function httpRigOver(inner: BlobStoreRig): Promise<BlobStoreRig> {
  const outer = await httpRig(inner.store);
  return {
    store: outer.store,
    [Symbol.asyncDispose]: async () => {
      await outer[Symbol.asyncDispose]();
      await inner[Symbol.asyncDispose]();
    },
  };
}

/** A reference store that can be made to hand out anything. */
class LyingBlobStore extends MemoryBlobStore {
  readonly #lies = new Map<string, Buffer>();

  lie(digest: Digest, content: Buffer): void {
    this.#lies.set(digest.hash, content);
  }

  override async get(digest: Digest): Promise<Buffer | undefined> {
    const lie = this.#lies.get(digest.hash);
    return lie ? Buffer.from(lie) : super.get(digest);
  }
}
