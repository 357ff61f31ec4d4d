import { fieldSuite } from '../rigs/field.ts';
import { availableUsers } from '../rigs/user.ts';

if (availableUsers().includes('root')) fieldSuite('root');
