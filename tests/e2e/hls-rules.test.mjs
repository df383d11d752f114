// The checker of HLS is checked: every rule has a document that breaks it and is caught, and a sound one that is not.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { boxOf, fragmentOf, initOf } from './support/fragments.mjs';
import {
  Findings,
  RenditionHistory,
  checkAnnounced,
  checkMedia,
  checkMediaPlaylist,
  checkMultivariant,
  checkPresentation,
} from './support/hls-rules.mjs';

/** The rules that a test here has seen broken. */
const covered = new Set();

/** Says that exactly these rules are broken, and remembers them. */
function assertBroken(findings, rules, message) {
  for (const rule of findings.rules) covered.add(rule);
  assert.deepEqual(findings.rules, [rules].flat().sort(), `${message ?? ''}\n${findings}`);
}

const SPLICE = '0xFC302000000000000000FFF00F05000000017FFFFE000000000000000000007A3D9BBD';

/** A sound low-latency playlist: seven segments of 1.92 s in six parts, and two parts of an eighth. */
function live({ first = 100, count = 7, open = 2, at = 0, skip = 0, extra = '' } = {}) {
  const lines = [
    '#EXTM3U',
    `#EXT-X-VERSION:${skip ? 9 : 6}`,
    '#EXT-X-TARGETDURATION:2',
    '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.96,HOLD-BACK=6,CAN-SKIP-UNTIL=12',
    '#EXT-X-PART-INF:PART-TARGET=0.32',
    `#EXT-X-MEDIA-SEQUENCE:${first}`,
    '#EXT-X-DISCONTINUITY-SEQUENCE:3',
  ];
  if (skip) lines.push(`#EXT-X-SKIP:SKIPPED-SEGMENTS=${skip}`);
  else lines.push('#EXT-X-MAP:URI="init-a.mp4"');
  if (extra) lines.push(...extra.split('\n'));
  const parts = (n, amount) => {
    for (let i = 0; i < amount; i += 1) {
      const independent = i === 0 ? ',INDEPENDENT=YES' : '';
      lines.push(`#EXT-X-PART:DURATION=0.32000,URI="a-${n}.${i}.m4s"${independent}`);
    }
  };
  const date = (n) => `#EXT-X-PROGRAM-DATE-TIME:${new Date(Date.UTC(2026, 0, 1) + at + n * 1_920).toISOString()}`;
  for (let n = first + skip; n < first + count; n += 1) {
    lines.push(date(n));
    if (n >= first + count - 3) parts(n, 6);
    lines.push('#EXTINF:1.92000,', `a-${n}.m4s`);
  }
  if (open) {
    lines.push(date(first + count));
    parts(first + count, open);
  }
  lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="a-${first + count}.${open}.m4s"`);
  lines.push(`#EXT-X-RENDITION-REPORT:URI="../b/index.m3u8",LAST-MSN=${first + count},LAST-PART=${open - 1}`, '');
  return lines.join('\n');
}

const VOD = `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="init.mp4"
#EXTINF:4,
0.mp4
#EXTINF:4,
1.mp4
#EXT-X-ENDLIST
`;

describe('a media playlist', () => {
  test('that is sound breaks no rule', () => {
    assertBroken(checkMediaPlaylist(live(), { lowLatency: true }).findings, []);
    assertBroken(checkMediaPlaylist(VOD).findings, []);
    assertBroken(checkMediaPlaylist(live({ count: 10, skip: 3 })).findings, []);
  });

  const swap = (from, to, text = live()) => {
    assert.ok(typeof from === 'string' ? text.includes(from) : from.test(text), `${from} is in the playlist`);
    return text.replace(from, to);
  };
  const append = (line, text = live()) => `${text}${line}\n`;
  const range = (attributes) => live({ extra: `#EXT-X-DATERANGE:${attributes}` });
  const START = 'START-DATE="2026-01-01T00:03:14.000Z"';
  const cases = [
    ['byte-order-mark', `\ufeff${live()}`],
    ['control-character', swap('a-100.m4s', 'a-100.m4s\u0007')],
    ['first-line', live().replace('#EXTM3U', '#EXTM3U8'), ['first-line']],
    ['white-space', swap('\na-100.m4s', '\n a-100.m4s')],
    ['white-space', swap('\na-100.m4s', '\na 100.m4s')],
    ['tag-twice', append('#EXT-X-TARGETDURATION:2')],
    ['tag-value', swap('#EXT-X-MEDIA-SEQUENCE:100', '#EXT-X-MEDIA-SEQUENCE:+100')],
    ['tag-value', append('#EXT-X-INDEPENDENT-SEGMENTS:YES')],
    ['tag-value', swap('#EXTINF:1.92000,', '#EXTINF:1.92000')],
    ['attribute-list', swap('CAN-SKIP-UNTIL=12', 'CAN-SKIP-UNTIL=12,')],
    ['attribute-list', swap('PART-TARGET=0.32', 'PART-TARGET=0.32,NONSENSE')],
    ['attribute-white-space', swap(',HOLD-BACK', ', HOLD-BACK')],
    ['attribute-name', swap('HOLD-BACK=6', 'HOLD-BACK=6,lower=1')],
    ['attribute-twice', swap('HOLD-BACK=6', 'HOLD-BACK=6,HOLD-BACK=6')],
    ['attribute-type', swap('URI="a-107.0.m4s"', 'URI=a-107.0.m4s')],
    ['attribute-type', range(`ID="a",${START},X-COM-EXAMPLE=bare`)],
    ['attribute-value', swap('INDEPENDENT=YES', 'INDEPENDENT=NO')],
    ['attribute-value', swap('URI="init-a.mp4"', 'URI="init-a.mp4",BYTERANGE="100"')],
    ['attribute-missing', swap('#EXT-X-PRELOAD-HINT:TYPE=PART', '#EXT-X-PRELOAD-HINT:BYTERANGE-START=0')],
    ['mixed-playlist', append('#EXT-X-STREAM-INF:BANDWIDTH=1'), ['mixed-playlist']],
    ['target-duration-missing', swap('#EXT-X-TARGETDURATION:2\n', '')],
    [
      'target-duration-zero',
      swap('TARGETDURATION:4', 'TARGETDURATION:0', VOD),
      ['segment-too-long', 'target-duration-zero'],
    ],
    ['sequence-after-segment', append('#EXT-X-MEDIA-SEQUENCE:100', swap('#EXT-X-MEDIA-SEQUENCE:100\n', ''))],
    ['vod-open', swap('#EXT-X-ENDLIST\n', '', VOD)],
    ['start-outside', swap('\n0.mp4', '\n0.mp4\n#EXT-X-START:TIME-OFFSET=9', VOD)],
    ['start-near-end', append('#EXT-X-START:TIME-OFFSET=-5.9')],
    ['version-too-low', swap('#EXT-X-VERSION:6', '#EXT-X-VERSION:5')],
    ['version-too-low', swap('#EXT-X-VERSION:9', '#EXT-X-VERSION:8', live({ count: 10, skip: 3 }))],
    ['version-too-low', append('#EXT-X-DEFINE:NAME="a",VALUE="b"')],
    ['part-hold-back-missing', swap('PART-HOLD-BACK=0.96,', '')],
    ['part-hold-back-short', swap('PART-HOLD-BACK=0.96', 'PART-HOLD-BACK=0.63')],
    ['part-hold-back-tight', swap('PART-HOLD-BACK=0.96', 'PART-HOLD-BACK=0.95')],
    ['hold-back-short', swap('HOLD-BACK=6', 'HOLD-BACK=5.9')],
    ['skip-boundary-short', swap('CAN-SKIP-UNTIL=12', 'CAN-SKIP-UNTIL=11.9')],
    ['skip-dateranges-alone', swap('CAN-SKIP-UNTIL=12', 'CAN-SKIP-DATERANGES=YES')],
    ['blocking-after-end', swap(/#EXT-X-PRELOAD.*\n/, '#EXT-X-ENDLIST\n')],
    ['extinf-missing', swap('#EXTINF:1.92000,\n', '')],
    ['extinf-without-segment', append('#EXTINF:2,', VOD)],
    ['segment-too-long', swap('#EXTINF:4,', '#EXTINF:4.5,', VOD)],
    ['segment-empty', swap('#EXTINF:4,', '#EXTINF:0,', VOD)],
    ['segment-twice', swap('1.mp4', '0.mp4', VOD)],
    ['segment-tag-twice', swap('#EXTINF:4,', '#EXTINF:4,\n#EXTINF:4,', VOD)],
    ['map-missing', swap(/#EXT-X-MAP.*\n/, '', VOD).replace('VERSION:6', 'VERSION:1')],
    ['map-changed', swap('\n0.mp4', '\n0.mp4\n#EXT-X-MAP:URI="other.mp4"', VOD)],
    ['byterange-start', swap('#EXTINF:4,', '#EXTINF:4,\n#EXT-X-BYTERANGE:10', VOD)],
    ['gap-part', swap('#EXT-X-PART:DURATION=0.32000,URI="a-106.0.m4s"', '#EXT-X-GAP\n$&'), ['gap-part']],
    ['no-segments', '#EXTM3U\n#EXT-X-TARGETDURATION:2\n'],
    ['key-none', swap('#EXTINF', '#EXT-X-KEY:METHOD=NONE,URI="k"\n#EXTINF', VOD)],
    ['key-uri', swap('#EXTINF', '#EXT-X-KEY:METHOD=AES-128\n#EXTINF', VOD)],
    ['key-iv', swap('#EXTINF', '#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="k",IV=0x01\n#EXTINF', VOD)],
    ['key-versions', swap('#EXTINF', '#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMATVERSIONS="0"\n#EXTINF', VOD)],
    ['date-unreadable', swap(/PROGRAM-DATE-TIME:.*/, 'PROGRAM-DATE-TIME:yesterday')],
    ['date-without-zone', swap('#EXTINF', '#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000\n#EXTINF', VOD)],
    ['date-coarse', swap('#EXTINF', '#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXTINF', VOD)],
    ['absence-unsaid', swap('00:03:15.840Z', '00:03:15.850Z'), ['absence-unsaid', 'date-drifts']],
    [
      'date-after-discontinuity',
      swap(/(PROGRAM-DATE-TIME.*\n[^]*?)#EXT-X-PROGRAM-DATE-TIME.*/, '$1#EXT-X-DISCONTINUITY'),
    ],
    [
      'date-goes-back',
      swap(
        '#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:03:15.840Z',
        '#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:03:10.000Z',
      ),
      ['absence-unsaid', 'date-goes-back'],
    ],
    ['part-inf-missing', swap(/#EXT-X-PART-INF.*\n/, '')],
    ['part-too-long', swap('DURATION=0.32000,URI="a-107.1', 'DURATION=0.33000,URI="a-107.1')],
    [
      'part-too-short',
      swap('DURATION=0.32000,URI="a-106.1', 'DURATION=0.27000,URI="a-106.1'),
      ['part-too-short', 'parts-sum'],
    ],
    ['part-short-independent', swap('DURATION=0.32000,URI="a-107.0', 'DURATION=0.20000,URI="a-107.0')],
    ['part-twice', swap('URI="a-107.1.m4s"', 'URI="a-107.0.m4s"')],
    ['part-byterange-start', swap('URI="a-107.1.m4s"', 'URI="a-107.1.m4s",BYTERANGE="10"')],
    ['parts-beyond', swap('#EXTINF:1.92000,\na-106', '#EXTINF:1.91000,\na-106'), ['absence-unsaid', 'parts-beyond']],
    ['version-too-high', swap('#EXT-X-VERSION:6', '#EXT-X-VERSION:7')],
    ['parts-sum', swap('DURATION=0.32000,URI="a-106.5', 'DURATION=0.31900,URI="a-106.5')],
    [
      'parts-kept',
      live({ count: 30 }).replace('#EXTINF', '#EXT-X-PART:DURATION=0.32,URI="x"\n#EXTINF'),
      ['parts-kept', 'parts-sum'],
    ],
    ['i-frame-parts', append('#EXT-X-I-FRAMES-ONLY').replace('VERSION:6', 'VERSION:5')],
    ['tag-behind-part', append('#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:03:25.440Z'), ['tag-behind-part']],
    ['hint-twice', append('#EXT-X-PRELOAD-HINT:TYPE=PART,URI="other.m4s"')],
    ['hint-after-end', append('#EXT-X-ENDLIST', swap('CAN-BLOCK-RELOAD=YES,', ''))],
    ['hint-place', swap('#EXTINF', '#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="next.mp4"\n#EXTINF')],
    ['hint-listed', swap('PART,URI="a-107.2.m4s"', 'PART,URI="a-107.1.m4s"')],
    ['report-absolute', swap('URI="../b/index.m3u8"', 'URI="https://a.example/b.m3u8"')],
    ['report-twice', append('#EXT-X-RENDITION-REPORT:URI="../b/index.m3u8",LAST-MSN=107,LAST-PART=1')],
    ['skip-unannounced', swap(',CAN-SKIP-UNTIL=12', '', live({ count: 10, skip: 3 }))],
    [
      'skip-after-end',
      live({ count: 10, skip: 3 })
        .replace('CAN-BLOCK-RELOAD=YES,', '')
        .replace(/#EXT-X-PRELOAD.*/, '#EXT-X-ENDLIST'),
    ],
    ['skip-place', append('#EXT-X-SKIP:SKIPPED-SEGMENTS=3', live({ count: 10 }).replace('VERSION:6', 'VERSION:9'))],
    ['skip-too-much', live({ count: 10, skip: 5 })],
    ['skip-nothing', live({ extra: '#EXT-X-SKIP:SKIPPED-SEGMENTS=0' }).replace('VERSION:6', 'VERSION:9')],
    ['define-one-of', append('#EXT-X-DEFINE:NAME="a",IMPORT="b"').replace('VERSION:6', 'VERSION:8')],
    ['define-value', append('#EXT-X-DEFINE:NAME="a"').replace('VERSION:6', 'VERSION:8')],
    ['define-name', append('#EXT-X-DEFINE:IMPORT="ä"').replace('VERSION:6', 'VERSION:8')],
    ['define-twice', append('#EXT-X-DEFINE:IMPORT="a"\n#EXT-X-DEFINE:IMPORT="a"').replace('VERSION:6', 'VERSION:8')],
    ['daterange-without-date', append(`#EXT-X-DATERANGE:ID="a",${START}`, VOD)],
    ['daterange-conflict', range(`ID="a",${START},CLASS="b"\n#EXT-X-DATERANGE:ID="a",CLASS="c"`)],
    ['daterange-start', range('ID="a",CLASS="b"')],
    ['daterange-date', range('ID="a",START-DATE="2026-13-01T00:03:14.000Z"')],
    ['daterange-splice', range(`ID="a",${START},SCTE35-OUT=${SPLICE.slice(0, -2)}`)],
    ['daterange-splice', range(`ID="a",${START},SCTE35-OUT=${SPLICE.replace(/BD$/, 'BE')}`)],
    ['daterange-splice', range(`ID="a",${START},SCTE35-OUT=0xFC`)],
    ['daterange-splice', range(`ID="a",${START},SCTE35-OUT=${SPLICE.replace('FC', 'FD')}`)],
    ['daterange-cue', range(`ID="a",${START},CUE="PRE,POST"`)],
    ['daterange-backwards', range(`ID="a",${START},END-DATE="2026-01-01T00:03:13.000Z"`)],
    ['daterange-end', range(`ID="a",${START},DURATION=5,END-DATE="2026-01-01T00:03:20.000Z"`)],
    ['daterange-end-on-next', range(`ID="a",${START},END-ON-NEXT=YES`)],
    ['daterange-end-on-next', range(`ID="a",${START},CLASS="b",END-ON-NEXT=YES,DURATION=5`)],
    [
      'daterange-overlap',
      range(
        `ID="z",CLASS="b",START-DATE="2026-01-01T00:03:10.000Z",DURATION=9\n#EXT-X-DATERANGE:ID="a",${START},CLASS="b",END-ON-NEXT=YES`,
      ),
    ],
    ['profile-blocking', swap('CAN-BLOCK-RELOAD=YES,', '')],
    ['profile-parts', swap(/#EXT-X-PART.*\n/g, '').replace(/#EXT-X-PART-INF.*\n/, '')],
    ['profile-hint', swap(/#EXT-X-PRELOAD.*\n/, '')],
    ['profile-date', swap(/#EXT-X-PROGRAM.*\n/g, '')],
  ];
  for (const [index, [rule, text, expected]] of cases.entries()) {
    test(`that breaks ${rule} is caught (${index})`, () => {
      const { findings } = checkMediaPlaylist(text, { lowLatency: rule.startsWith('profile-') });
      assertBroken(findings, expected ?? rule);
    });
  }

  test('takes a splice whose section is whole', () => {
    assertBroken(checkMediaPlaylist(range(`ID="a",${START},PLANNED-DURATION=5,SCTE35-OUT=${SPLICE}`)).findings, []);
  });
});

const MULTIVARIANT = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="en/index.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",AUTOSELECT=YES,URI="sub/index.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,CODECS="avc1.64001f,mp4a.40.2,wvtt",RESOLUTION=640x360,FRAME-RATE=25.000,AUDIO="aac",SUBTITLES="subs",CLOSED-CAPTIONS=NONE
hi/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS="avc1.64001f,mp4a.40.2,wvtt",RESOLUTION=320x180,FRAME-RATE=25.000,AUDIO="aac",SUBTITLES="subs",CLOSED-CAPTIONS=NONE
lo/index.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,CODECS="avc1.64001f",RESOLUTION=640x360,URI="hi/iframes.m3u8"
`;

describe('a multivariant playlist', () => {
  test('that is sound breaks no rule', () => assertBroken(checkMultivariant(MULTIVARIANT).findings, []));

  const swap = (from, to) => {
    assert.ok(typeof from === 'string' ? MULTIVARIANT.includes(from) : from.test(MULTIVARIANT), `${from}`);
    return MULTIVARIANT.replace(from, to);
  };
  const append = (line) => `${MULTIVARIANT}${line}\n`;
  const audio = (attributes) => append(`#EXT-X-MEDIA:TYPE=AUDIO,CHANNELS="2",${attributes}`);
  const cases = [
    ['mixed-playlist', append('#EXT-X-TARGETDURATION:2')],
    ['variant-without-uri', swap('lo/index.m3u8\n', '')],
    ['uri-without-variant', append('stray.m3u8')],
    ['no-variants', '#EXTM3U\n'],
    ['version-too-low', append('#EXT-X-DEFINE:NAME="a",VALUE="b"')],
    ['version-too-low', swap('CHANNELS="2"', 'CHANNELS="2",INSTREAM-ID="a"')],
    ['bandwidth-zero', swap('BANDWIDTH=400000', 'BANDWIDTH=0')],
    ['bandwidth-average', swap('AVERAGE-BANDWIDTH=800000', 'AVERAGE-BANDWIDTH=900001')],
    ['codecs-missing', swap(/CODECS="[^"]*",/, ''), ['codecs-missing']],
    ['codecs-cover', swap('avc1.64001f,mp4a.40.2', 'avc1.64001f')],
    ['video-attributes', swap('RESOLUTION=640x360,', '')],
    ['frame-rate', swap('25.000', '29.9700')],
    ['group-missing', swap('AUDIO="aac",SUB', 'AUDIO="opus",SUB')],
    ['score-some', swap('BANDWIDTH=400000', 'BANDWIDTH=400000,SCORE=1')],
    ['variant-twice', swap('lo/index', 'hi/index')],
    ['i-frame-attribute', swap('BANDWIDTH=90000,CODECS', 'BANDWIDTH=90000,AUDIO="aac",CODECS')],
    ['i-frame-audio', swap('CODECS="avc1.64001f",', 'CODECS="avc1.64001f,mp4a.40.2",')],
    ['name-twice', audio('GROUP-ID="aac",NAME="English",URI="x.m3u8"')],
    ['autoselect-alike', audio('GROUP-ID="aac",NAME="Other",LANGUAGE="en",AUTOSELECT=YES,URI="x.m3u8"')],
    ['default-twice', audio('GROUP-ID="aac",NAME="Other",DEFAULT=YES,URI="x.m3u8"')],
    ['groups-differ', audio('GROUP-ID="ac3",NAME="Other",URI="x.m3u8"')],
    ['media-uri', swap(',URI="sub/index.m3u8"', '')],
    ['media-instream', append('#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="cc",INSTREAM-ID="SERVICE64"')],
    ['media-autoselect', swap('AUTOSELECT=YES,CHANNELS', 'AUTOSELECT=NO,CHANNELS')],
    ['media-attribute', swap('CHANNELS="2"', 'CHANNELS="2",FORCED=NO')],
    ['media-channels', swap('CHANNELS="2"', 'CHANNELS="two"')],
    ['media-language', swap('LANGUAGE="en",DEFAULT', 'LANGUAGE="english language",DEFAULT')],
    ['captions-none', swap(',CLOSED-CAPTIONS=NONE', '')],
    ['session-data', append('#EXT-X-SESSION-DATA:DATA-ID="a"')],
    [
      'session-data-twice',
      append('#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="b"\n#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="c"'),
    ],
    ['session-key-none', append('#EXT-X-SESSION-KEY:METHOD=NONE')],
    [
      'session-key-twice',
      append('#EXT-X-SESSION-KEY:METHOD=AES-128,URI="k"\n#EXT-X-SESSION-KEY:METHOD=AES-128,URI="k"'),
    ],
    ['steering-pathway', append('#EXT-X-CONTENT-STEERING:SERVER-URI="s",PATHWAY-ID="b"')],
  ];
  for (const [index, [rule, text, expected]] of cases.entries()) {
    test(`that breaks ${rule} is caught (${index})`, () => {
      assertBroken(checkMultivariant(text).findings, expected ?? rule);
    });
  }
});

const read = (text) => checkMediaPlaylist(text).playlist;

/** A history of playlists that were served one second apart. */
function historyOf(texts, uri = 'a/index.m3u8') {
  const history = new RenditionHistory(uri);
  for (const [index, text] of texts.entries()) {
    history.add({ playlist: read(text), asked: index * 1_000 + 10, at: index * 1_000 + 900 });
  }
  return history;
}

describe('the playlists of a rendition over time', () => {
  const discontinued = (text) => text.replace(/#EXT-X-PROGRAM-DATE-TIME/, '#EXT-X-DISCONTINUITY\n$&');

  test('that go on break no rule', () => {
    const texts = [1, 2, 3, 4, 5].map((open) => live({ open })).concat([live({ first: 101, open: 1 })]);
    const history = historyOf(texts);
    assertBroken(history.findings, []);
    assert.equal(history.cadence().moves, 5);
    assert.equal(history.segments.size, 8);
  });

  const cases = [
    ['header-changed', live().replace('PART-TARGET=0.32', 'PART-TARGET=0.33')],
    ['header-changed', live().replace('HOLD-BACK=6', 'HOLD-BACK=7')],
    ['media-sequence-fell', live({ first: 99, count: 8 }), undefined, live({ first: 100, count: 7 })],
    ['header-changed', `${live().replace('CAN-SKIP-UNTIL=12', 'CAN-SKIP-UNTIL=14')}#EXT-X-ENDLIST\n`],
    ['edge-fell', live({ open: 1 }), ['edge-fell', 'part-changed']],
    [
      'changed-after-end',
      VOD.replace('#EXT-X-ENDLIST\n', '').replace('VOD', 'EVENT'),
      ['changed-after-end', 'header-changed'],
      VOD,
    ],
    [
      'segment-vanished',
      live({ count: 6, open: 0 }),
      ['edge-fell', 'part-added-late', 'segment-vanished'],
      live({ count: 8, open: 0 }),
    ],
    ['segment-reopened', live({ open: 6 }), ['part-added-late', 'segment-reopened'], live({ count: 8, open: 0 })],
    ['segment-changed', live({ open: 3 }).replace('\na-101.m4s', '\nz-101.m4s')],
    ['segment-changed', discontinued(live({ open: 3 }))],
    ['segment-changed', live({ open: 3, at: 20 })],
    ['segment-changed', live({ open: 3 }).replace('init-a', 'init-b')],
    ['part-changed', live({ open: 3 }).replace('a-107.1.m4s', 'b-107.1.m4s')],
    [
      'part-added-late',
      live().replace(/(#EXT-X-PART.*a-106.0.*\n)/, '$1'),
      ['part-added-late'],
      live().replace(/#EXT-X-PART:.*a-106.5.*\n/, ''),
    ],
    [
      'typed-playlist-shrank',
      live({ first: 101 }).replace('#EXT-X-TARGET', '#EXT-X-PLAYLIST-TYPE:EVENT\n$&'),
      undefined,
      live().replace('#EXT-X-TARGET', '#EXT-X-PLAYLIST-TYPE:EVENT\n$&'),
    ],
    ['window-short', live({ first: 104, count: 3, open: 3 })],
    ['hint-missed', live({ open: 3 }).replace('a-107.2.m4s', 'b-107.2.m4s')],
    [
      'daterange-vanished',
      live({ open: 3 }),
      undefined,
      live({ extra: '#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:03:14.000Z",DURATION=4' }),
    ],
    [
      'daterange-changed',
      live({ extra: '#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:03:14.000Z",DURATION=5' }),
      undefined,
      live({ extra: '#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:03:14.000Z",DURATION=4' }),
    ],
  ];
  for (const [index, [rule, text, expected, before = live()]] of cases.entries()) {
    test(`that break ${rule} are caught (${index})`, () => {
      assertBroken(historyOf([before, text]).findings, expected ?? rule);
    });
  }

  test('whose date range comes back are caught', () => {
    const range = '#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:00:00.000Z",DURATION=4';
    assertBroken(
      historyOf([live({ extra: range }), live({ open: 3 }), live({ open: 4, extra: range })]).findings,
      'daterange-reused',
    );
  });

  test('may leave the parts of old segments out', () => {
    const later = live({ open: 3 }).replace(/#EXT-X-PART:.*a-104.*\n/g, '');
    assertBroken(historyOf([live(), later]).findings, []);
  });

  test('owe what they listed for a while', () => {
    const later = live({ first: 101, count: 6, open: 3 }).replace(/#EXT-X-PART:.*a-104.*\n/g, '');
    const history = historyOf([live(), later]);
    assert.deepEqual(history.owed(3_000), ['a-100.m4s', ...[0, 1, 2, 3, 4, 5].map((i) => `a-104.${i}.m4s`)]);
    assert.deepEqual(history.owed(10_000), ['a-100.m4s']);
    assert.deepEqual(history.owed(30_000), []);
  });

  test('may drop a discontinuity with the segment that it stood before', () => {
    const before = discontinued(live());
    const after = live({ first: 101, count: 6, open: 3 }).replace('SEQUENCE:3', 'SEQUENCE:4');
    assertBroken(historyOf([before, after]).findings, []);
  });
});

describe('a delta update', () => {
  const base = read(live({ count: 10, open: 1 }));
  const full = read(live({ count: 10, open: 2 }));

  test('is the full playlist once it is put together', () => {
    const history = historyOf([]);
    assert.equal(history.addDelta(read(live({ count: 10, open: 2, skip: 3 })), base, full), true);
    assertBroken(history.findings, []);
    assert.equal(history.deltas, 1);
  });

  test('of another edge says nothing', () => {
    const history = historyOf([]);
    assert.equal(history.addDelta(read(live({ count: 10, open: 3, skip: 3 })), base, full), false);
  });

  test('that leaves out too little or too much is caught', () => {
    const wrong = live({ count: 10, open: 2, skip: 3 }).replace('a-103', 'a-102');
    for (const text of [wrong, live({ count: 10, open: 2, skip: 3 }).replace('a-104.m4s', 'z-104.m4s')]) {
      const history = historyOf([]);
      history.addDelta(read(text), base, full);
      assertBroken(history.findings, 'delta-differs');
    }
  });

  test('that skips what the client never had is caught', () => {
    const history = historyOf([]);
    history.addDelta(read(live({ count: 10, open: 2, skip: 3 })), read(live({ first: 102, count: 8 })), full);
    assertBroken(history.findings, 'delta-unknown');
  });

  test('of the second kind removes and keeps date ranges', () => {
    const range = (id) => `#EXT-X-DATERANGE:ID="${id}",START-DATE="2026-01-01T00:03:14.000Z"`;
    const before = read(live({ count: 10, open: 1, extra: `${range('gone')}\n${range('kept')}` }));
    const delta = read(
      live({ count: 10, open: 2, skip: 3 }).replace('SEGMENTS=3', 'SEGMENTS=3,RECENTLY-REMOVED-DATERANGES="gone"'),
    );
    const history = historyOf([]);
    history.addDelta(delta, before, read(live({ count: 10, open: 2, extra: range('kept') })));
    assertBroken(history.findings, []);
    const wrong = historyOf([]);
    wrong.addDelta(delta, before, read(live({ count: 10, open: 2, extra: range('gone') })));
    assertBroken(wrong.findings, 'delta-differs');
  });
});

describe('the renditions of a presentation', () => {
  const other = (text) => text.replace('../b/index', '../a/index');
  const check = (a, b) => {
    const findings = new Findings();
    checkPresentation([historyOf(a, 'a/index.m3u8'), historyOf(b, 'b/index.m3u8')], findings);
    return findings;
  };
  const run = (opens) => opens.map((open) => live({ open }));

  test('that go together break no rule', () => assertBroken(check(run([1, 2, 3]), run([1, 2, 3]).map(other)), []));

  const cases = [
    ['target-durations-differ', run([1]), run([1]).map((text) => other(text).replace('DURATION:2', 'DURATION:3'))],
    ['server-controls-differ', run([1]), run([1]).map((text) => other(text).replace('HOLD-BACK=6', 'HOLD-BACK=7'))],
    ['dates-in-some', run([1]), run([1]).map((text) => other(text).replace(/#EXT-X-PROGRAM.*\n/g, ''))],
    ['discontinuities-differ', run([1]), run([1]).map((text) => other(text).replace('SEQUENCE:3', 'SEQUENCE:4'))],
    [
      'report-unknown',
      run([1, 2]),
      run([1, 2]).map((text) => other(text).replace('../a/index', '../c/index')),
      ['report-missing', 'report-unknown'],
    ],
    [
      'report-own',
      run([1]),
      run([1]).map((text) => `${other(text)}#EXT-X-RENDITION-REPORT:URI="index.m3u8",LAST-MSN=107,LAST-PART=0\n`),
    ],
    [
      'report-stale',
      run([1, 2, 3, 4, 5]),
      run([1, 2, 3, 4, 5]).map((text) => other(text).replace(/LAST-PART=\d/, 'LAST-PART=0')),
    ],
    ['report-ahead', run([1, 2, 3]), run([1, 2, 3]).map((text) => other(text).replace(/LAST-PART=\d/, 'LAST-PART=4'))],
  ];
  test('that say again what the multivariant playlist says are caught', () => {
    const check = (above, own) => {
      const findings = new Findings();
      const { playlist: multivariant } = checkMultivariant(`${MULTIVARIANT}${above}\n`);
      checkPresentation([historyOf([`${live()}${own}\n`])], findings, { multivariant });
      return findings;
    };
    assertBroken(check('', ''), 'report-unknown');
    assertBroken(check('', '#EXT-X-INDEPENDENT-SEGMENTS'), ['report-unknown', 'said-twice']);
    const start = (offset) => `#EXT-X-START:TIME-OFFSET=${offset}`;
    assertBroken(check(start(-7), start(-8)), ['report-unknown', 'said-differently']);
  });

  const range = (attributes) => `#EXT-X-DATERANGE:START-DATE="2026-01-01T00:03:14.000Z",${attributes}`;
  const ranged = (attributes) => [1, 2].map((open) => live({ open, extra: range(attributes) }));
  cases.push(
    ['daterange-missing', ranged('ID="a"'), ranged('ID="b"').map(other)],
    ['dateranges-differ', ranged('ID="a",DURATION=4'), ranged('ID="a",DURATION=5').map(other)],
  );
  for (const [index, [rule, a, b, expected]] of cases.entries()) {
    test(`that break ${rule} are caught (${index})`, () => assertBroken(check(a, b), expected ?? rule));
  }
});

describe('the media behind a playlist', () => {
  /** Every file of `live()`, at 25,000 ticks a second and 8 samples a part. */
  function files() {
    const store = new Map([['init-a.mp4', initOf()]]);
    for (let n = 100; n <= 107; n += 1) {
      const parts = Array.from({ length: 6 }, (_, i) => fragmentOf({ start: (n * 6 + i) * 8_000, sync: i === 0 }));
      for (const [i, part] of parts.entries()) store.set(`a-${n}.${i}.m4s`, part);
      store.set(`a-${n}.m4s`, Buffer.concat(parts));
    }
    return store;
  }
  async function check(edit = () => {}, text = live(), independent = true) {
    const [store, findings] = [files(), new Findings()];
    edit(store);
    const history = historyOf([text]);
    const figures = await checkMedia(history, { fetch: async (uri) => store.get(uri) ?? null, findings, independent });
    return { findings, figures };
  }

  test('that is as the playlist says breaks no rule', async () => {
    const { findings, figures } = await check();
    assertBroken(findings, []);
    assert.equal(figures.segments, 7);
    assert.equal(figures.parts, 18);
    assert.equal(figures.init.codec, 'avc1.64001f');
  });

  const whole = (n, { first = true, start = n * 48_000, ...more } = {}) =>
    fragmentOf({ start, samples: 48, sync: first, ...more });
  const cases = [
    ['media-missing', (store) => store.delete('a-101.m4s')],
    ['media-missing', (store) => store.delete('a-105.3.m4s')],
    ['media-missing', (store) => store.delete('init-a.mp4')],
    ['media-unreadable', (store) => store.set('a-101.m4s', Buffer.from('no box at all'))],
    ['media-unreadable', (store) => store.set('init-a.mp4', boxOf('ftyp', Buffer.alloc(8)))],
    ['media-not-independent', (store) => store.set('a-101.m4s', whole(101, { first: false }))],
    ['media-hole', (store) => store.set('a-101.m4s', whole(101, { start: 101 * 48_000 - 10 })), ['media-hole']],
    [
      'media-duration',
      (store) => store.set('a-101.m4s', whole(101, { samples: 47 })),
      ['media-duration', 'media-hole'],
    ],
    [
      'media-wall',
      (store) => store.set('a-101.m4s', whole(101, { start: 101 * 48_000 + 500 })),
      ['media-anchor', 'media-hole', 'media-wall'],
    ],
    [
      'media-part-duration',
      (store) => store.set('a-105.3.m4s', fragmentOf({ start: (105 * 6 + 3) * 8_000, samples: 7 })),
      ['media-part-duration', 'media-parts-differ'],
    ],
    ['media-parts-differ', (store) => store.set('a-105.3.m4s', store.get('a-105.4.m4s'))],
    ['media-independent-unsaid', (store) => edited(store, { sync: true })],
    ['media-key-frame-inside', (store) => edited(store, { syncAt: 4 })],
  ];
  /** Another part 3 of segment 105, in the segment as well. */
  function edited(store, how) {
    store.set('a-105.3.m4s', fragmentOf({ start: (105 * 6 + 3) * 8_000, ...how }));
    store.set('a-105.m4s', Buffer.concat([0, 1, 2, 3, 4, 5].map((i) => store.get(`a-105.${i}.m4s`))));
  }
  for (const [index, [rule, edit, expected]] of cases.entries()) {
    test(`that breaks ${rule} is caught (${index})`, async () => {
      assertBroken((await check(edit)).findings, expected ?? rule);
    });
  }

  test('of I-frames is a key frame in each segment, up to the next', async () => {
    const frames = (text = '') =>
      [
        '#EXTM3U\n#EXT-X-VERSION:5\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:100\n#EXT-X-I-FRAMES-ONLY',
        '#EXT-X-MAP:URI="init-a.mp4"',
        ...[100, 101, 102].map((n) => `#EXTINF:1.92000,\n#EXT-X-BYTERANGE:210@0\na-${n}.m4s`),
        text,
      ].join('\n');
    assertBroken((await check(() => {}, frames())).findings, []);
    const halved = frames().replace(
      '#EXTINF:1.92000,\n#EXT-X-BYTERANGE:210@0\na-101',
      '#EXTINF:1.91000,\n#EXT-X-BYTERANGE:210@0\na-101',
    );
    assertBroken((await check(() => {}, halved)).findings, 'media-i-frame-duration');
    assertBroken((await check(() => {}, frames().replaceAll(':210@0', ':150@0'))).findings, 'media-unreadable');
    const edit = (store) => store.set('a-101.m4s', whole(101, { first: false }));
    assertBroken((await check(edit, frames().replaceAll(':210@0', ':900@0'))).findings, [
      'media-not-independent',
      'media-unreadable',
    ]);
  });

  test('that never came is told from media that was lost', async () => {
    const late = (text) =>
      text
        .replace('00:03:13.920Z', '00:03:14.020Z')
        .replace(/#EXT-X-PROGRAM.*03:1[5-9].*\n|#EXT-X-PROGRAM.*03:2.*\n/g, '');
    const { findings } = await check(
      (store) => {
        for (let n = 101; n <= 103; n += 1) store.set(`a-${n}.m4s`, whole(n, { start: n * 48_000 + 2_500 }));
      },
      late(live({ count: 4, open: 0 })).replace(/#EXT-X-PART:.*\n/g, ''),
    );
    assertBroken(findings, 'media-absent');
  });

  test('is announced with its formats, its size and its rate', async () => {
    const announced = (edit) => {
      const { playlist } = checkMultivariant(
        edit(MULTIVARIANT.replaceAll(',mp4a.40.2,wvtt', '').replaceAll(/,(AUDIO|SUBTITLES)="[^"]*"/g, '')),
      );
      const findings = new Findings();
      checkAnnounced(playlist, figures, findings);
      return findings;
    };
    const figures = new Map([['lo/index.m3u8', (await check()).figures]]);
    assertBroken(
      announced((text) => text),
      [],
    );
    assertBroken(
      announced((text) => text.replaceAll('avc1.64001f', 'avc1.4d401f')),
      'announced-codecs',
    );
    assertBroken(
      announced((text) => text.replace('RESOLUTION=320x180', 'RESOLUTION=640x360')),
      'announced-resolution',
    );
    assertBroken(
      announced((text) => text.replace('BANDWIDTH=400000', 'BANDWIDTH=4')),
      'announced-bandwidth',
    );
  });
});

test('every rule of the checker has been broken above', () => {
  const folder = new URL('./support/rules/', import.meta.url);
  const sources = readdirSync(folder).filter((name) => name.startsWith('hls-'));
  const names = sources.flatMap((name) =>
    [...readFileSync(new URL(name, folder), 'utf8').matchAll(/\b(?:must|should)\(\s*'([a-z0-9-]+)'/g)].map(
      ([, rule]) => rule,
    ),
  );
  assert.ok(names.length > 100);
  assert.deepEqual(
    [...new Set(names)].filter((rule) => !covered.has(rule)),
    [],
  );
});

const vectors = process.env.SELVEDGE_VECTORS && join(process.env.SELVEDGE_VECTORS, 'hls');
const skip = vectors && existsSync(vectors) ? false : 'SELVEDGE_VECTORS does not name the folder of test vectors';

describe('playlists from elsewhere', { skip }, () => {
  /** What is wrong with each, by the document; those that are not named are sound. */
  const FLAWS = {
    'eyevinn-cmaf-interstitial-video.m3u8': ['attribute-white-space', 'segment-too-long'],
    'eyevinn-splice-cue-video.m3u8': ['daterange-without-date'],
    'grafov-master-with-closed-captions-eq-none.m3u8': ['codecs-cover'],
    'grafov-master-with-hlsv7.m3u8': ['first-line'],
    'grafov-media-playlist-with-cue-out-in-without-oatcls.m3u8': ['extinf-without-segment'],
    'm3u8rs-master-not-ending-in-newline.m3u8': ['uri-without-variant'],
    'm3u8rs-master-with-i-frame-stream-inf.m3u8': ['attribute-type'],
    'm3u8rs-media-with-cues.m3u8': ['target-duration-missing'],
    'own-mediapackage-daterange-live.m3u8': ['daterange-splice'],
    'roundtrip-ll-delta-define.m3u8': ['skip-too-much', 'version-too-low'],
    'roundtrip-multidrm-dateranges.m3u8': ['daterange-splice'],
    'videojs-alternateAudio.m3u8': ['attribute-white-space'],
    'videojs-dateTime.m3u8': ['tag-value'],
    'videojs-emptyTargetDuration.m3u8': ['mixed-playlist', 'tag-value'],
    'videojs-fmp4.m3u8': ['control-character', 'white-space'],
    'videojs-llhls-byte-range.m3u8': [
      'attribute-type',
      'attribute-value',
      'byterange-start',
      'part-byterange-start',
      'part-inf-missing',
      'tag-value',
      'version-too-low',
      'vod-open',
    ],
    'videojs-llhls.m3u8': ['skip-boundary-short'],
    'videojs-llhlsDelta.m3u8': ['attribute-type', 'skip-boundary-short', 'version-too-low'],
    'videojs-multipleAudioGroups.m3u8': ['attribute-white-space'],
    'videojs-whiteSpace.m3u8': ['control-character', 'white-space'],
  };
  for (const name of vectors && !skip ? readdirSync(vectors).filter((file) => file.endsWith('.m3u8')) : []) {
    test(name, () => {
      const text = readFileSync(join(vectors, name), 'utf8');
      const check = /#EXT-X-(STREAM-INF|MEDIA):/.test(text) ? checkMultivariant : checkMediaPlaylist;
      const { findings } = check(text);
      assert.deepEqual(findings.musts, FLAWS[name] ?? [], String(findings));
    });
  }

  const scenarios = vectors && !skip ? readdirSync(join(vectors, 'scenarios')) : [];
  for (const name of scenarios) {
    test(`${name}: playlists through a break go on by the rules`, () => {
      const { snapshots } = JSON.parse(readFileSync(join(vectors, 'scenarios', name), 'utf8'));
      for (const side of ['source', 'expected']) {
        const findings = new Findings();
        const history = new RenditionHistory(`${name} ${side}`, findings);
        for (const [index, snapshot] of snapshots.entries()) {
          const { playlist } = checkMediaPlaylist(snapshot[side], { findings });
          history.add({ playlist, asked: index, at: index });
        }
        assert.deepEqual(findings.musts, [], String(findings));
      }
    });
  }
});
