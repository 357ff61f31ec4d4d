/** Why a command was not answered from the cache (`MissReason` of the master): after "not from cache: ". */
export const missReasons: Readonly<Record<string, string>> = {
  'new-command': 'this command has not been run before, so or in this folder',
  'inputs-changed': 'something that it looks at is not as in any earlier run',
  'failed-before': 'an earlier run failed, and no rule with "Cache": "failures" says that this will do',
  'content-missing': 'an output of the earlier run is not in the store any more',
  quarantined: 'the result of the earlier run was not reproduced when it was checked',
};
