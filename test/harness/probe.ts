import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import '../../cas/action-cache.ts';
import '../../cas/digest.ts';

// Started as some user, with status 0 where that user can run what was built, with all that it depends on.
accessSync(resolve(import.meta.dirname, '../../..', 'native/build/libexec/sh'), constants.X_OK);
