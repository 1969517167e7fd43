// Reduces the field list of the npm package @elastic/ecs to what tests need:
//   npm pack @elastic/ecs@9.4.0 && tar xzf elastic-ecs-9.4.0.tgz && node reduce.js package/build/commonjs > ecs-9.4.0.tsv
const { EcsFlat } = require(require('path').resolve(process.argv[2], 'ecs_flat.js'));
const sets = ['@timestamp', 'message', 'agent', 'container', 'data_stream', 'destination', 'ecs', 'event', 'host', 'log',
  'network', 'orchestrator', 'process', 'related', 'rule', 'source', 'tls', 'user'];
const nested = /\.(as|code_signature|cpu|disk|elf|entity|entry_leader|geo|group_leader|hash\.(?!all)|io|macho|memory|pe|previous|risk|roles|session_leader|supplemental_groups|saved_user|saved_group|target|tty|x509)(\.|$)|^user\.(changes|effective)|^(source|destination)\.user/;
console.log('# Apache License 2.0, see README.md. Field, type, `array` if its values are one, allowed values.');
for (const [name, field] of Object.entries(EcsFlat)) {
  if (!sets.includes(name.split('.')[0]) || nested.test(name)) continue;
  const allowed = (field.allowed_values || []).map((value) => value.name).join(',');
  console.log([name, field.type, field.normalize.includes('array') ? 'array' : '', allowed].join('\t').trimEnd());
  if (name === 'event.category') {
    for (const value of field.allowed_values) {
      console.log(['event.category=' + value.name, 'event.type', 'expected', (value.expected_event_types || []).join(',')].join('\t'));
    }
  }
}
