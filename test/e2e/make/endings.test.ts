import { checkFacts } from './facts.ts';

const half = '\t@sed s/x/half/ Makefile > $@; ';

checkFacts('How commands end', {
  'with a status': { makefile: 'all: ; @expr 1; exit 42\n', status: 2, stderr: /Error 42\n$/, remote: 1 },
  'with a status like that of a signal': {
    makefile: 'all: ; @expr 1; exit 143\n',
    status: 2,
    stderr: /Error 143\n$/,
    remote: 1,
  },
  'by a signal': {
    makefile: 'all: ; @expr 1; kill -TERM $$$$\n',
    status: 2,
    stderr: /all\] Terminated\n$/,
    remote: 1,
  },
  'by another signal': {
    makefile: 'all: ; @expr 1; kill -SEGV $$$$\n',
    status: 2,
    stderr: /all\] Segmentation fault/,
    remote: 1,
  },
  'by a signal that make is sent as well': {
    makefile: 'all: ; @expr 1; kill -INT $$$$\n',
    status: 2,
    stderr: /all\] Interrupt\n$/,
    remote: 1,
  },
  'by that of a pipe without reader': {
    makefile: 'all: ; @expr 1; kill -PIPE $$$$\n',
    status: 2,
    stderr: /all\] Broken pipe\n$/,
    remote: 1,
  },
  'a child of the shell by a signal': {
    makefile: "all: ; @sh -c 'kill -TERM $$$$'; expr $$?\n",
    stdout: /^143\n$/,
    remote: 1,
  },
  'without the program': {
    makefile: 'all: ; ./no-such-program x\n',
    status: 2,
    stderr: /not found\n.*Error 127\n$/,
    remote: 1,
  },
  'with something that is no program': {
    makefile: 'all: ; ./data x\n',
    files: { data: '' },
    status: 2,
    stderr: /Permission denied\n.*Error 126\n$/,
  },
  'with a folder as the program': {
    makefile: 'all: ; ./folder/\n',
    files: { 'folder/': '' },
    status: 2,
    stderr: /Error 126\n$/,
  },
  'with a script without #!': {
    makefile: 'all: ; @cp script run; chmod +x run; ./run a b\n',
    files: { script: 'expr "$1$2" : "\\(.*\\)"\n' },
    stdout: /^ab\n$/,
    remote: 1,
  },
  'with a script of an interpreter that is not there': {
    makefile: 'all: ; ./script\n',
    files: { script: '#!/no/such/interpreter\n' },
    status: 2,
    stderr: /Error 127\n$/,
  },
  'with a syntax error': {
    makefile: 'all: ; if true; fi\n',
    status: 2,
    stderr: /[Ss]yntax error.*\n.*Error 2\n$/,
  },
  'with a line of nothing but escaped newlines, asked with -q': {
    makefile: 'empty =\nall:\n\t$(empty)\\\n\t\\\n\n',
    args: ['-j1', '-q'],
    status: 1,
  },
  '-k: what does not depend on it is made': {
    makefile:
      'all: bad.o good.o last\nbad.o: ; @expr 1; exit 1\ngood.o: ; @sed s/a/b/ Makefile > $@\nlast: bad.o ; @touch last\n',
    args: ['-j1', '-k'],
    status: 2,
    stderr: /Target 'all' not remade because of errors/,
    remote: 2,
  },
  '-i and the dash': {
    makefile: 'all: a b\na:\n\t-@expr 1; exit 3\n\t@expr 2\nb: ; @expr 3; exit 4\n',
    args: ['-j1', '-i'],
    stdout: /^1\n2\n3\n$/,
    stderr: /Error 3 \(ignored\)\n.*Error 4 \(ignored\)\n$/,
    remote: 3,
  },
  'what a failed command left stays': { makefile: `made:\n${half}exit 1\n`, status: 2, remote: 1 },
  'with .DELETE_ON_ERROR it is deleted': {
    makefile: `.DELETE_ON_ERROR:\nmade:\n${half}exit 1\n`,
    status: 2,
    stderr: /Deleting file 'made'\n$/,
    remote: 1,
  },
  'what a killed command left is deleted': {
    makefile: `made:\n${half}kill -TERM $$$$\n`,
    status: 2,
    stderr: /Deleting file 'made'\n/,
    remote: 1,
  },
  'unless it is precious': {
    makefile: `.PRECIOUS: made\nmade:\n${half}kill -TERM $$$$\n`,
    status: 2,
    remote: 1,
  },
  'intermediate files are deleted': {
    makefile: 'all: x.c\n%.b: %.a ; @sed s/a/b/ $< > $@\n%.c: %.b ; @sed s/b/c/ $< > $@\n',
    files: { 'x.a': 'a\n' },
    stdout: /^rm x\.b\n$/,
    remote: 2,
  },
});
