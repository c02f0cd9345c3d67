// Serves the validator prism as a proxy for OpenAPI documents, all at one address, which
// it writes when it listens. Its arguments are the file of prism's program, the address
// of what is asked through it, "refuse" where it refuses what is wrong instead of saying
// so in a header, and the documents' files.
const [program, upstream, mode, ...documents] = process.argv.slice(1);
const load = require('module').createRequire(program);
const { getHttpOperationsFromSpec } = load('@stoplight/prism-http');
const { createServer } = load('@stoplight/prism-http-server');
const { createLogger } = load('@stoplight/prism-core');

async function serve() {
  const operations = await Promise.all(documents.map(file => getHttpOperationsFromSpec(file)));
  const server = createServer(operations.flat(), {
    cors: false,
    config: {
      isProxy: true,
      upstream: new URL(upstream),
      validateRequest: true,
      validateResponse: true,
      checkSecurity: true,
      errors: mode === 'refuse',
      mock: { dynamic: false },
    },
    components: { logger: createLogger('prism', { level: 'silent' }) },
  });
  console.log('listening on ' + (await server.listen(0, '127.0.0.1')));
}

serve();
