import { type Case, hello, replay } from './replay.ts';

const files = { 'src/testtmp.c': hello['testtmp.c'], 'src/testhdr.h': hello['testhdr.h'], 'obj/': '' };
const all = /testtmp\.o: src\/testtmp\.c[^:]*stdio\.h[^:]*src\/testhdr\.h/;
const own = /testtmp\.o: src\/testtmp\.c src\/testhdr\.h\n/;
/** Where gcc would put dependencies that nobody asked for, or asked to have elsewhere. */
const nowhere = { 'testtmp.d': undefined, 'obj/testtmp.d': undefined };

function dependencies(options: string, path: string, content: RegExp, env?: NodeJS.ProcessEnv): Case {
  const lines = [`gcc ${options} -c src/testtmp.c`];
  return { files, lines, made: { ...nowhere, [path]: content }, ...(env && { env }) };
}

replay("distcc's tests of dependency files", {
  'DotD -MD': dependencies('-MD', 'testtmp.d', all),
  'DotD -MMD': dependencies('-MMD', 'testtmp.d', own),
  'DotD -MD -o': dependencies('-MD -o obj/testtmp.o', 'obj/testtmp.d', all),
  'DotD -MMD -o': dependencies('-MMD -o obj/testtmp.o', 'obj/testtmp.d', own),
  'DotD -MD -MF': dependencies('-MD -MF xxx.d', 'xxx.d', all),
  'DotD -MD -MF without space': dependencies('-MD -MFobj/xxx.d', 'obj/xxx.d', all),
  'DotD -MMD -MF -o': dependencies('-MMD -MF xxx.d -o obj/testtmp.o', 'xxx.d', own),
  'DotD -MD -MT': dependencies('-MD -MT target', 'testtmp.d', /^target: src\/testtmp\.c/),
  'DotD -MD -MT -o': dependencies('-MD -MT target -o obj/testtmp.o', 'obj/testtmp.d', /^target: /),
  'DotD -MMD -MQ -MP': dependencies(
    "-MMD -MP -MQ '$(target)'",
    'testtmp.d',
    /^\$\$\(target\): .*\n\n?src\/testhdr\.h:/,
  ),
  DashMD_DashMF_DashMT: dependencies('-MD -MFdotd_filename -MTrule', 'dotd_filename', /^rule: /),
  DashWpMD: dependencies('-Wp,-MD,depsfile', 'depsfile', all),
  'DotD DEPENDENCIES_OUTPUT': dependencies('', 'xxx.d', /^yyy: src\/testtmp\.c[^:]*$/, {
    DEPENDENCIES_OUTPUT: 'xxx.d yyy',
  }),
});
