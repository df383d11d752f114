// Stands between edges and an origin, passes everything on, and notes what edges asked for.
import { createServer, request } from 'node:http';

/** Starts a recorder before an origin. */
export async function startRecorder(stage, origin) {
  const recorder = {
    url: '',
    /** @type {{ method: string, url: string, headers: string[] }[]} headers as they came: name, value, name… */
    asked: [],
    /** What was asked for while something ran. */
    async during(run) {
      const before = recorder.asked.length;
      await run();
      return recorder.asked.slice(before);
    },
  };
  const server = createServer((incoming, answer) => {
    const { method, url, rawHeaders } = incoming;
    recorder.asked.push({ method, url, headers: rawHeaders });
    const { host: _recorder, ...headers } = incoming.headers;
    const onward = request(origin + url, { method, headers });
    onward.on('response', (response) => {
      answer.writeHead(response.statusCode, response.rawHeaders);
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    onward.end();
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  stage.onClose(() => {
    server.closeAllConnections();
    server.close();
  });
  recorder.url = `http://127.0.0.1:${server.address().port}`;
  return recorder;
}
