import { z } from 'zod';
import { executorInfoSchema } from '../protocol/executor-info.ts';
import type { Route } from '../runtime/http-server.ts';
import type { Registry } from './registry.ts';

/** HTTP over a registry; the other end is CoordinatorClient. */
export function coordinatorRoutes(registry: Registry): Route[] {
  return [
    {
      method: 'POST',
      path: '/executors',
      async handle(call) {
        registry.hear(await call.json(executorInfoSchema));
        return {};
      },
    },
    { method: 'GET', path: '/executors', handle: () => ({ json: registry.list() }) },
    {
      method: 'DELETE',
      path: '/executors/:name',
      handle(call) {
        registry.remove(z.string().parse(call.params['name']));
        return {};
      },
    },
  ];
}
