import { suite } from '../harness/suite.ts';
import { availableUsers } from '../rigs/user.ts';
import { checkNames, MirrorRig } from './mirror-rig.ts';

for (const user of availableUsers()) {
  suite(`File system through the mirror as ${user} user`, (test) => {
    const rig = new MirrorRig(user);
    test.after(() => rig.close());
    for (const name of checkNames) test(name, () => rig.compare(name), { deadlineMs: 120_000 });
  });
}
