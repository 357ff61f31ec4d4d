import { fieldSuite } from '../rigs/field.ts';

fieldSuite('ordinary');
