// A runtime draws its seed from Math.random: under test always the same ones, so that what fails fails again.
import { random } from '../../reference/random.ts';

Math.random = random('tests');
