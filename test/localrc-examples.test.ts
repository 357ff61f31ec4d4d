import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { parseLocalRules } from '../master/local-rules.ts';
import { repositoryRoot } from './fixtures/golden.ts';
import { suite } from './harness/suite.ts';

const document = readFileSync(join(repositoryRoot(), 'docs/localrc-examples.md'), 'utf8');
const examples = [...document.matchAll(/^## (?<title>.*)\n\n```json\n(?<text>[\s\S]*?)^```$/gm)].map(
  ({ groups }) => ({ title: groups!['title']!, text: groups!['text']! }),
);

suite('README', (test) => {
  test('has an example of .termite-localrc that can be used as it is', () => {
    const readme = readFileSync(join(repositoryRoot(), 'README.md'), 'utf8');
    const [, text] = /^### \.termite-localrc\n[\s\S]*?```json\n([\s\S]*?)^```$/m.exec(readme) ?? [];
    assert.is(parseLocalRules(text ?? '', 'README.md').rules.length, 3);
  });
});

suite('docs/localrc-examples.md', (test) => {
  test('has an example for each tree', () => {
    const titles = ['Linux', 'LLVM', 'Emacs', 'GCC', 'Android-like trees'];
    assert.equal(
      examples.map(({ title }) => title),
      titles,
    );
  });

  for (const { title, text } of examples) {
    test(`${title}: can be used as it is, and each rule decides on the command above it`, () => {
      const lines = text.split('\n');
      const { rules, notices } = parseLocalRules(text, title);
      assert.equal(notices, []);
      for (const rule of rules) {
        const [, command] = /^# {3}\$ (.*)$/.exec(lines[rule.line - 2] ?? '') ?? [];
        assert.ok(command, `line ${rule.line}: a command should be above it`);
        assert.match(lines[rule.line - 3]!, /^# \w/, `line ${rule.line}: a reason should be above it`);
        assert.is(
          rules.find(({ regexp }) => regexp.test(command)),
          rule,
          `line ${rule.line}: another rule comes first for ${command}`,
        );
      }
    });
  }
});
