// The checker of MPDs is checked: every rule has a document that breaks it and is caught, and a sound one that is not.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  Findings,
  MpdHistory,
  canonical,
  checkAvailability,
  checkMpd,
  readXml,
  seconds,
  select,
} from './support/mpd-rules.mjs';

/** The rules that a test here has seen broken. */
const covered = new Set();

/** Says that exactly these rules are broken, and remembers them. */
function assertBroken(findings, rules) {
  for (const rule of findings.rules) covered.add(rule);
  assert.deepEqual(findings.rules, [rules].flat().sort(), String(findings));
}

const AST = Date.UTC(2026, 0, 1);
const SPLICE = '/DAgAAAAAAAAAAAAD/AFAAAAAX//+AAAAAAAAAAAAHo9m70=';

/** A sound low-latency MPD, `step` segments of 2 s after the first of them. */
function mpd({ step = 0, count = 10, ...more } = {}) {
  const { periods = '', publish = 20 + 2 * step } = more;
  const time = (s) => new Date(AST + s * 1_000).toISOString();
  return `<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" id="x" profiles="urn:mpeg:dash:profile:isoff-live:2011,http://www.dashif.org/guidelines/low-latency-live-v5" type="dynamic" availabilityStartTime="${time(0)}" publishTime="${time(publish)}" minimumUpdatePeriod="PT2S" minBufferTime="PT1S" timeShiftBufferDepth="PT20S" suggestedPresentationDelay="PT3S" maxSegmentDuration="PT2S">
  <PatchLocation ttl="60">patch.mpp?publishTime=${publish}</PatchLocation>
  <ServiceDescription id="0">
    <Latency referenceId="7" target="2000" min="1500" max="4000"/>
    <PlaybackRate min="0.96" max="1.04"/>
  </ServiceDescription>
  <Period id="p0" start="PT0S">
    <EventStream schemeIdUri="urn:scte:scte35:2014:xml+bin" timescale="1000">
      <Event presentationTime="4000" duration="2000" id="1"><Signal xmlns="http://www.scte.org/schemas/35/2016"><Binary>${SPLICE}</Binary></Signal></Event>
      <Event presentationTime="8000" id="2"><Signal xmlns="http://www.scte.org/schemas/35/2016"><Binary>${SPLICE}</Binary></Signal></Event>
    </EventStream>
    <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" maxWidth="640">
      <InbandEventStream schemeIdUri="urn:scte:scte35:2013:bin"/>
      <ProducerReferenceTime id="7" type="encoder" wallClockTime="${time(0)}" presentationTime="90000" inband="true">
        <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/>
      </ProducerReferenceTime>
      <Resync type="1" dT="30000" dImin="0.1" dImax="0.2"/>
      <SegmentTemplate timescale="90000" presentationTimeOffset="90000" availabilityTimeOffset="1.5" availabilityTimeComplete="false" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Time$.m4s">
        <SegmentTimeline>
          <S t="${90_000 + step * 180_000}" d="180000" r="${count - 1}"/>
        </SegmentTimeline>
      </SegmentTemplate>
      <Representation id="hi" bandwidth="800000" width="640" height="360" frameRate="25" codecs="avc1.64001f"/>
      <Representation id="lo" bandwidth="300000" width="320" height="180" frameRate="25" codecs="avc1.64000d"/>
    </AdaptationSet>
    <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" lang="en">
      <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
      <ProducerReferenceTime id="7" type="encoder" wallClockTime="${time(0)}" presentationTime="0">
        <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/>
      </ProducerReferenceTime>
      <Resync type="1" dT="24000"/>
      <SegmentTemplate timescale="48000" duration="96000" startNumber="0" availabilityTimeOffset="1.5" availabilityTimeComplete="false" initialization="en/init.mp4" media="en/$Number%05d$.m4s"/>
      <Representation id="en" bandwidth="96000" audioSamplingRate="48000" codecs="mp4a.40.2"/>
    </AdaptationSet>
  </Period>${periods}
  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/>
</MPD>
`;
}

const VOD = `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" mediaPresentationDuration="PT4S" minBufferTime="PT1S">
  <Period><AdaptationSet><SegmentTemplate timescale="1" duration="2" initialization="i" media="$Number$"/>
  <Representation id="a" bandwidth="1" mimeType="video/mp4" codecs="avc1.64001f" width="2" height="2" frameRate="25"/></AdaptationSet></Period>
</MPD>`;

const swap = (from, to, text = mpd()) => {
  assert.ok(typeof from === 'string' ? text.includes(from) : from.test(text), `${from} is in the MPD`);
  return text.replace(from, to);
};

describe('an MPD', () => {
  test('that is sound breaks no rule', () => {
    assertBroken(checkMpd(mpd()).findings, []);
    assertBroken(checkMpd(VOD).findings, []);
  });

  const second =
    '\n  <Period id="p1" start="PT20S"><AdaptationSet id="1" mimeType="text/vtt"><SegmentTemplate duration="2" media="$Number$"/><Representation id="a" bandwidth="1" codecs="wvtt"/></AdaptationSet></Period>';
  const quiet = (text) => text.replace(',http://www.dashif.org/guidelines/low-latency-live-v5', '');
  const S = /<S t=.*/;
  const cases = [
    ['xml', swap('</Period>', '</Perio>')],
    ['schema-root', swap('schema:mpd:2011', 'schema:mpd:2012'), ['schema-root']],
    ['schema-attribute', swap('lang="en"', 'language="en"')],
    ['schema-type', swap('minBufferTime="PT1S"', 'minBufferTime="1"')],
    ['schema-type', swap('bandwidth="800000"', 'bandwidth="4294967296"')],
    ['schema-type', swap('lang="en"', 'lang="en_GB"')],
    ['schema-type', swap('>patch.mpp', '>patch .mpp')],
    ['schema-required', swap(' minBufferTime="PT1S"', '')],
    ['schema-text', swap('<SegmentTimeline>', '<SegmentTimeline>text')],
    ['schema-element', swap('<Resync type="1" dT="24000"/>', '<Resync type="1" dT="24000"/><Resynch/>')],
    ['schema-order', swap(/(<Resync type="1" dT="24000"\/>)\s*(<SegmentTemplate timescale="48000".*\/>)/, '$2$1')],
    ['schema-missing', swap(/<Period[^]*<\/Period>/, ''), ['schema-missing']],
    ['schema-too-many', swap(/<SegmentTemplate timescale="48000".*\/>/, '$&$&')],
    ['dynamic-required', swap(/ publishTime="[^"]*"/, ''), ['dynamic-required', 'patch-without-time']],
    ['dynamic-end', swap(/ minimumUpdatePeriod="[^"]*"/, ''), ['dynamic-end', 'patch-without-updates']],
    ['delay-beyond-buffer', swap('Delay="PT3S"', 'Delay="PT21S"')],
    ['static-required', swap(' mediaPresentationDuration="PT4S"', '', VOD)],
    ['static-forbidden', swap('<MPD ', '<MPD timeShiftBufferDepth="PT1M" ', VOD)],
    ['profile-unknown', swap('urn:mpeg:dash:profile:isoff-live:2011', 'urn:other', VOD)],
    ['max-segment-missing', swap(/ maxSegmentDuration="[^"]*"/, '')],
    ['max-segment-short', swap('maxSegmentDuration="PT2S"', 'maxSegmentDuration="PT1.9S"')],
    ['period-start', swap(' start="PT0S"', '')],
    [
      'period-order',
      swap('start="PT0S"', 'start="PT30S"', quiet(mpd({ periods: second }))),
      ['latency-reference', 'period-order', 'segment-behind-period'],
    ],
    [
      'period-overlap',
      swap('start="PT0S"', 'start="PT0S" duration="PT21S"', quiet(mpd({ periods: second }))),
      ['latency-reference', 'period-overlap'],
    ],
    ['period-id', swap(' id="p0"', '')],
    ['period-beyond-end', swap('<Period>', '<Period duration="PT5S">', VOD)],
    [
      'period-id-twice',
      swap('id="p1"', 'id="p0"', quiet(mpd({ periods: second }))),
      ['latency-reference', 'period-id-twice'],
    ],
    ['service-description-twice', swap(/<ServiceDescription[^]*<\/ServiceDescription>/, '$&$&')],
    ['set-id-twice', swap('AdaptationSet id="2"', 'AdaptationSet id="1"')],
    ['representation-id-twice', swap('id="lo"', 'id="hi"'), ['representation-id-twice', 'template-shared']],
    ['period-empty', swap(/<AdaptationSet[^]*<\/AdaptationSet>/, '', VOD)],
    ['set-empty', swap(/<Representation id="en".*\/>/, '')],
    ['set-alignment', swap(' segmentAlignment="true"', '')],
    [
      'set-mixed',
      swap(
        '<Representation id="b" mimeType="audio/mp4"',
        '<Representation id="b" mimeType="audio/mp4"',
        VOD.replace(
          '</AdaptationSet>',
          '<Representation id="b" mimeType="audio/mp4" bandwidth="1" codecs="mp4a.40.2" audioSamplingRate="1"><AudioChannelConfiguration schemeIdUri="a"/></Representation></AdaptationSet>',
        ).replace('$Number$', '$RepresentationID$/$Number$'),
      ),
    ],
    ['set-bounds', swap('maxWidth="640"', 'maxWidth="639"')],
    ['mime-type', swap(' mimeType="audio/mp4"', '')],
    ['mime-type', swap('contentType="audio"', 'contentType="video"'), ['mime-type', 'video-attributes']],
    ['codecs-missing', swap(' codecs="mp4a.40.2"', '')],
    ['video-attributes', swap(' frameRate="25"', '')],
    ['audio-attributes', swap(' audioSamplingRate="48000"', '')],
    ['bandwidth-zero', swap('bandwidth="96000"', 'bandwidth="0"')],
    ['clock-missing', swap(/ {2}<UTCTiming[^>]*>\n<\/MPD>/, '</MPD>'), ['clock-missing', 'low-latency-clock']],
    ['clock-scheme', swap(/http-iso:2014(" value="\/time"\/>\n<\/MPD>)/, 'sundial:2014$1')],
    ['clock-value', swap(/value="\/time"(\/>\n<\/MPD>)/, 'value=""$1')],
    ['patch-without-id', swap(' id="x"', '')],
    ['patch-without-time', swap(/ publishTime="[^"]*"/, ''), ['dynamic-required', 'patch-without-time']],
    ['patch-location-empty', swap(/>patch.mpp[^<]*</, '><')],
    ['patch-ttl', swap('ttl="60"', 'ttl="0"')],
    [
      'template-missing',
      swap(/<SegmentTemplate timescale="48000".*\/>/, ''),
      ['low-latency-offset', 'template-missing'],
    ],
    ['template-media', swap(' media="en/$Number%05d$.m4s"', '')],
    ['template-initialization', swap(' initialization="en/init.mp4"', '')],
    ['template-both', swap('timescale="90000" pres', 'timescale="90000" duration="180000" pres')],
    ['template-neither', swap(' duration="96000"', '')],
    ['template-timescale', swap('timescale="48000"', 'timescale="0"'), ['max-segment-short', 'template-timescale']],
    [
      'availability-offset',
      swap(
        'Offset="1.5" availabilityTimeComplete="false" initialization="en',
        'Offset="-1" availabilityTimeComplete="false" initialization="en',
      ),
    ],
    [
      'availability-offset',
      swap(
        'Offset="1.5" availabilityTimeComplete="false" initialization="en',
        'Offset="2" availabilityTimeComplete="false" initialization="en',
      ),
    ],
    [
      'availability-incomplete',
      swap(
        'availabilityTimeOffset="1.5" availabilityTimeComplete="false" initialization="en',
        'availabilityTimeComplete="false" initialization="en',
      ),
      ['availability-incomplete', 'low-latency-offset'],
    ],
    ['template-identifier', swap('en/$Number%05d$', 'en/$Numer$-$Number$')],
    ['template-identifier', swap('en/$Number%05d$', 'en/$-$Number$'), ['template-identifier']],
    ['template-identifier', swap('en/init.mp4', 'en/$Number$.mp4')],
    ['template-format', swap('$RepresentationID$/init', '$RepresentationID%05d$/init')],
    ['template-number-time', swap('en/$Number%05d$', 'en/all')],
    ['template-number-time', swap('/$Time$', '/$Time$-$Number$')],
    ['template-time', swap('en/$Number%05d$', 'en/$Time$')],
    ['template-shared', swap('media="$RepresentationID$/', 'media="all/')],
    ['timeline-duration', swap(S, '<S t="90000" d="0"/>')],
    ['timeline-start', swap(' t="90000"', '')],
    ['timeline-overlap', swap(S, '<S t="90000" d="180000"/><S t="269999" d="180000"/>')],
    ['timeline-repeat', swap(S, '<S t="90000" d="180000" r="-2"/>')],
    ['timeline-repeat', swap(S, '<S t="90000" d="180000" r="-1"/><S d="180000"/>')],
    ['timeline-number', swap(S, '<S t="90000" n="5" d="180000" r="2"/><S n="6" d="180000"/>')],
    [
      'segment-before-period',
      swap('start="PT0S"', 'start="PT30S"').replaceAll(
        /presentationTimeOffset="90000"/g,
        'presentationTimeOffset="9000000"',
      ),
      ['producer-time-off', 'segment-before-period'],
    ],
    ['segment-behind-period', swap('start="PT0S"', 'start="PT0S" duration="PT10S"')],
    ['latency-order', swap('min="1500"', 'min="2500"')],
    ['latency-reference', swap('referenceId="7"', 'referenceId="8"')],
    ['playback-rate', swap('min="0.96"', 'min="1.01"')],
    [
      'producer-time-twice',
      swap(/<ProducerReferenceTime id="7" type="encoder" wall[^]*?<\/ProducerReferenceTime>/, '$&$&'),
    ],
    ['producer-time-wall', swap(/wallClockTime="[^"]*"/, 'wallClockTime="noon"')],
    ['producer-time-clock', swap(/(inband="true">)\s*<UTC.*/, '$1')],
    ['producer-time-off', swap('presentationTime="90000"', 'presentationTime="9090000"')],
    ['resync-order', swap('dImin="0.1"', 'dImin="0.3"')],
    ['resync-interval', swap('dT="24000"', 'dT="0"')],
    ['inband-events', swap('2013:bin"/>', '2013:bin"><Event/></InbandEventStream>')],
    ['event-stream-twice', swap(/<InbandEventStream.*/, '$&$&')],
    ['event-timescale', swap('timescale="1000"', 'timescale="0"')],
    ['event-order', swap('presentationTime="8000"', 'presentationTime="3000"')],
    ['event-twice', swap('id="2"><Signal', 'id="1"><Signal')],
    ['event-message', swap(SPLICE, '')],
    ['event-message', swap(SPLICE, SPLICE.slice(0, -8))],
    ['event-message', swap(SPLICE, `A${SPLICE.slice(1)}`)],
    ['event-message', swap('<Binary>', '<Bin/><Binary2>').replace('</Binary>', '</Binary2>')],
    ['event-message', swap('2014:xml+bin', '2013:bin'), ['event-message']],
    ['low-latency-target', swap(' target="2000"', '')],
    [
      'low-latency-offset',
      swap(/availabilityTimeOffset="1.5" availabilityTimeComplete="false" initialization="en/, 'initialization="en'),
    ],
    ['low-latency-complete', swap('availabilityTimeComplete="false" initialization="en', 'initialization="en')],
    [
      'low-latency-producer-time',
      swap(
        /<ProducerReferenceTime id="7" type="encoder" wallClockTime="[^"]*" presentationTime="0">[^]*?<\/ProducerReferenceTime>/,
        '',
      ),
      ['low-latency-producer-time'],
    ],
    ['low-latency-resync', swap('<Resync type="1" dT="24000"/>', '')],
  ];
  for (const [index, [rule, text, expected]] of cases.entries()) {
    test(`that breaks ${rule} is caught (${index})`, () => assertBroken(checkMpd(text).findings, expected ?? rule));
  }
});

const read = (text) => checkMpd(text).presentation;

describe('the updates of an MPD', () => {
  const historyOf = (texts) => {
    const history = new MpdHistory();
    for (const [index, text] of texts.entries()) history.add(read(text), text, AST + index * 2_000);
    return history;
  };

  test('that go on break no rule', () => {
    const history = historyOf([mpd(), mpd(), mpd({ step: 1 }), mpd({ step: 3, count: 9 })]);
    assertBroken(history.findings, []);
    assert.equal(history.segments.size, 24);
  });

  const next = mpd({ step: 1 });
  const cases = [
    ['mpd-changed', swap('id="x"', 'id="y"', next)],
    ['mpd-reopened', mpd({ step: 1 }), ['mpd-reopened'], swap('type="dynamic"', 'type="static"')],
    ['publish-time-fell', mpd({ step: 1, publish: 10 })],
    ['publish-time-same', mpd({ step: 1, publish: 20 })],
    ['period-start-changed', swap('start="PT0S"', 'start="PT1S"', next)],
    ['representation-vanished', swap(/<Representation id="lo".*/, '', next)],
    ['representation-changed', swap('presentationTimeOffset="90000"', 'presentationTimeOffset="90001"', next)],
    ['representation-changed', swap('$RepresentationID$/init.mp4', '$RepresentationID$/init2.mp4', next)],
    ['representation-moved', swap('AdaptationSet id="1"', 'AdaptationSet id="3"', next)],
    ['segment-vanished', swap(/<S t=.*/, '<S t="270000" d="180000" r="1"/><S t="810000" d="180000" r="6"/>', next)],
    [
      'segment-inserted',
      next,
      undefined,
      swap(/<S t=.*/, '<S t="90000" d="180000" r="2"/><S t="810000" d="180000" r="5"/>'),
    ],
    ['segment-changed', swap(/<S t=.*/, '<S t="270000" d="180000" r="7"/><S d="190000"/>', next)],
    ['segment-cut', swap(/<S t=.*/, '<S t="270000" d="180000" r="7"/><S d="170000"/>', next)],
    ['edge-fell', mpd({ step: 1, count: 8 })],
    ['segment-withdrawn', mpd({ count: 9, publish: 19 }), undefined, mpd({ publish: 18 })],
  ];
  for (const [index, [rule, text, expected, before = mpd()]] of cases.entries()) {
    test(`that break ${rule} are caught (${index})`, () => {
      assertBroken(historyOf([before, text]).findings, expected ?? rule);
    });
  }

  test('whose Periods change places or vanish are caught', () => {
    const period = (id, start) => `\n  <Period id="${id}" start="PT${start}S"/>`;
    const before = mpd({ periods: period('p1', 40) + period('p2', 50) });
    const after = (periods) => mpd({ publish: 30, periods });
    assertBroken(historyOf([before, after(period('p2', 50) + period('p1', 40))]).findings, 'period-moved');
    assertBroken(historyOf([before, after(period('p2', 50))]).findings, 'period-vanished');
  });
});

describe('a patch', () => {
  const from = '2026-01-01T00:00:20.000Z';
  const to = '2026-01-01T00:00:22.000Z';
  const patch = (operations, { id = 'x', original = from, publish = to } = {}) =>
    `<Patch xmlns="urn:mpeg:dash:schema:mpd-patch:2020" mpdId="${id}" originalPublishTime="${original}" publishTime="${publish}">${operations}</Patch>`;
  const TIME = `<replace sel="/MPD/@publishTime">${to}</replace>`;
  const LOCATION = '<replace sel="/MPD/PatchLocation[1]/text()">patch.mpp?publishTime=22</replace>';
  const TIMELINE = "/MPD/Period[@id='p0']/AdaptationSet[@id='1']/SegmentTemplate/SegmentTimeline";
  const HEAD = TIME + LOCATION;
  const check = (text, whole = mpd({ step: 1 })) => {
    const history = new MpdHistory();
    const said = history.addPatch(mpd(), text, whole);
    return { history, said, findings: history.findings };
  };

  test('makes the next MPD, in each way to say it', () => {
    for (const operation of [
      `<replace sel="${TIMELINE}/S[1]"><S t="270000" d="180000" r="9"/></replace>`,
      `<replace sel="${TIMELINE}/S[@t='90000']/@t">270000</replace>`,
      `<remove sel="${TIMELINE}/S[last()]"/><add sel="${TIMELINE}"><S t="270000" d="180000" r="9"/></add>`,
      `<add sel="${TIMELINE}/S[1]" pos="before"><S t="270000" d="180000" r="9"/></add><remove sel="${TIMELINE}/S[2]"/>`,
      `<add sel="${TIMELINE}/S" pos="after"><S t="270000" d="180000" r="9"/></add><remove sel="${TIMELINE}/S[1]"/>`,
      `<add sel="${TIMELINE}" pos="prepend"><S t="270000" d="180000" r="9"/></add><remove sel="${TIMELINE}/S[@d and @t='90000']"/>`,
      `<remove sel="${TIMELINE}/S/@t"/><add sel="${TIMELINE}/S" type="@t">270000</add>`,
    ]) {
      const { findings, history } = check(patch(HEAD + operation));
      assertBroken(findings, []);
      assert.equal(history.patches, 1);
    }
  });

  const S = `<replace sel="${TIMELINE}/S/@t">270000</replace>`;
  const cases = [
    ['patch-xml', '<Patch'],
    ['patch-root', '<Patch/>'],
    ['patch-attribute', patch(HEAD + S, { original: 'noon' }), ['patch-attribute', 'patch-of-another']],
    ['patch-empty', patch(''), ['patch-empty', 'patch-differs', 'patch-time']],
    ['patch-operation', patch(`${HEAD}${S}<move sel="${TIMELINE}/S/@r">9</move>`), ['patch-operation']],
    ['patch-of-another', patch(HEAD + S, { id: 'y' })],
    ['patch-of-another', patch(HEAD + S, { original: '2026-01-01T00:00:18.000Z' })],
    ['patch-fails', patch(`${HEAD}<remove sel="${TIMELINE}/S[2]"/>`)],
    ['patch-fails', patch(`${HEAD}<remove sel="//S"/>`)],
    ['patch-fails', patch(`${HEAD}<remove sel="/MPD/Period/AdaptationSet"/>`)],
    ['patch-fails', patch(`${HEAD}<add sel="${TIMELINE}/S" type="@t">1</add>`)],
    ['patch-time', patch(LOCATION + S), ['patch-differs', 'patch-time']],
    ['patch-differs', patch(HEAD)],
  ];
  for (const [index, [rule, text, expected]] of cases.entries()) {
    test(`that breaks ${rule} is caught (${index})`, () => {
      const findings = check(text).findings;
      // An operation that nobody knows is carried out as an addition here, and may do harm.
      assertBroken(
        {
          rules: findings.rules.filter((one) => rule !== 'patch-operation' || one === rule),
          toString: () => String(findings),
        },
        expected ?? rule,
      );
    });
  }

  test('of another time than the whole MPD says nothing', () => {
    assert.equal(check(patch(HEAD + S), mpd({ step: 2 })).said, false);
  });

  test('selects by name, by place and by attributes', () => {
    const root = readXml(mpd());
    assert.equal(select(root, '/MPD/Period/AdaptationSet[2]/Representation').element.attributes.get('id'), 'en');
    assert.equal(select(root, '/MPD/*[@start]').element.local, 'Period');
    assert.throws(() => select(root, '/MPD/Period/AdaptationSet[id=1]'), /cannot be read/);
  });
});

describe('the availability of segments', () => {
  const run = async (answers, at = 20_000) => {
    const findings = new Findings();
    const asked = [];
    const status = async (url) => (asked.push(url), answers(url));
    const counts = await checkAvailability(read(mpd()), { now: () => AST + at, status, findings });
    return { findings, asked, counts };
  };
  /** What a server has at 20 s: segments that began 0.5 s or longer ago. */
  const server = (url) => {
    if (url.endsWith('init.mp4')) return 200;
    const [, number] = /\/(\d+)\.m4s$/.exec(url);
    const start = url.startsWith('en') ? Number(number) * 2 : Number(number) / 90_000 - 1;
    return start <= 19.5 ? 200 : 404;
  };

  test('is as the MPD has it', async () => {
    const { findings, asked, counts } = await run(server);
    assertBroken(findings, []);
    assert.deepEqual(counts, { there: 12, early: 3 });
    assert.ok(asked.includes('hi/1710000.m4s'), String(asked));
    assert.ok(asked.includes('en/00009.m4s'), String(asked));
  });

  test('that the server does not keep to is caught', async () => {
    assertBroken((await run(() => 200)).findings, 'available-early');
    assertBroken((await run(() => 404)).findings, 'available-missing');
  });
});

test('durations are read', () => {
  assert.equal(seconds('PT1.920S'), 1.92);
  assert.equal(seconds('P1DT1H1M1S'), 90_061);
  assert.equal(seconds('soon'), null);
});

test('documents are compared without regard to how they are written', () => {
  const one = readXml('<a xmlns="u" b="1" c="2"><!-- x --><d>t&amp;</d></a>');
  const two = readXml("<p:a xmlns:p='u' c='2' b='1'>\n <p:d><![CDATA[t&]]></p:d></p:a>");
  assert.equal(canonical(one), canonical(two));
  assert.notEqual(canonical(one), canonical(readXml('<a xmlns="u" b="1" c="3"><d>t&amp;</d></a>')));
});

test('every rule of the checker has been broken above', () => {
  const folder = new URL('./support/rules/', import.meta.url);
  const names = readdirSync(folder)
    .filter((name) => name.startsWith('mpd-'))
    .flatMap((name) =>
      [...readFileSync(new URL(name, folder), 'utf8').matchAll(/\b(?:must|should)\(\s*'([a-z0-9-]+)'/g)].map(
        ([, rule]) => rule,
      ),
    );
  assert.ok(names.length > 80);
  assert.deepEqual(
    [...new Set(names)].filter((rule) => !covered.has(rule)),
    [],
  );
});

const vectors = process.env.SELVEDGE_VECTORS && join(process.env.SELVEDGE_VECTORS, 'dash');
const skip = vectors && existsSync(vectors) ? false : 'SELVEDGE_VECTORS does not name the folder of test vectors';

describe('MPDs from elsewhere', { skip }, () => {
  const LIVESIM = ['max-segment-short', 'schema-type'];
  const SCTE = ['dynamic-required', 'template-neither'];
  /** What is wrong with each, by the document; those that are not named are sound. */
  const FLAWS = {
    'dashmpd-ad-insertion-testcase6-av2.mpd': ['representation-id-twice'],
    'dashmpd-admanager-scte35.mpd': ['max-segment-short'],
    'dashmpd-aws-mediatailor-vod.mpd': ['bandwidth-zero', 'schema-order'],
    'dashmpd-dashif-low-latency.mpd': ['schema-order'],
    'dashmpd-telestream-binary.mpd': ['schema-root', 'static-required'],
    'dashmpd-telestream-elements.mpd': ['schema-root', 'static-required'],
    'dashmpd-vod-aip-unif-streaming.mpd': ['max-segment-short'],
    'eyevinn-scte35-signal_binary_xmlbin.mpd': SCTE,
    'eyevinn-scte35-splice_insert.mpd': SCTE,
    'eyevinn-scte35-splice_insert_immediate.mpd': SCTE,
    'eyevinn-scte35-time_signal_segmentation.mpd': ['dynamic-required'],
    'livesim2-multiperiod_1.mpd': LIVESIM,
    'livesim2-multiperiod_2.mpd': LIVESIM,
    'livesim2-segtimeline_multiper_after_full_min.mpd': ['max-segment-short'],
    'livesim2-segtimeline_multiper_full_min.mpd': ['max-segment-short'],
    'livesim2-testpic_2s_1.mpd': LIVESIM,
    'livesim2-testpic_2s_2.mpd': LIVESIM,
  };
  for (const name of vectors && !skip ? readdirSync(vectors).filter((file) => file.endsWith('.mpd')) : []) {
    test(name, () => {
      const { findings } = checkMpd(readFileSync(join(vectors, name), 'utf8'));
      assert.deepEqual(findings.musts, FLAWS[name] ?? [], String(findings));
    });
  }

  test('two updates of one live MPD follow each other', () => {
    for (const name of ['livesim2-testpic_2s', 'livesim2-multiperiod']) {
      const history = new MpdHistory();
      for (const step of [1, 2]) {
        const text = readFileSync(join(vectors, `${name}_${step}.mpd`), 'utf8');
        history.add(read(text), text, step);
      }
      assert.deepEqual(history.findings.rules, [], String(history.findings));
    }
  });

  const scenarios = vectors && !skip ? readdirSync(join(vectors, 'scenarios')) : [];
  for (const name of scenarios) {
    test(`${name}: updates through a break go on by the rules`, () => {
      const { snapshots } = JSON.parse(readFileSync(join(vectors, 'scenarios', name), 'utf8'));
      for (const side of ['source', 'expected']) {
        const findings = new Findings();
        const history = new MpdHistory(findings);
        for (const [index, snapshot] of snapshots.entries()) {
          history.add(checkMpd(snapshot[side], { findings }).presentation, snapshot[side], index);
        }
        assert.deepEqual(findings.musts, [], String(findings));
      }
    });
  }
});
