// The schema of MPDs (ISO/IEC 23009-1, annex B): which elements stand where, in which order and how often, with which
// attributes of which types. Of it, the part that a live origin can come to use; what is not in it is reported.
import { elements, pathOf, textIn } from './xml.mjs';

export const MPD_NAMESPACE = 'urn:mpeg:dash:schema:mpd:2011';

const isInteger = (low, high) => (text) => {
  if (!/^[+-]?\d+$/.test(text)) return false;
  const value = BigInt(text);
  return value >= low && value <= high;
};
const list = (test) => (text) => text.trim() === '' || text.trim().split(/\s+/).every(test);
const oneOf =
  (...values) =>
  (text) =>
    values.includes(text);
const uint = isInteger(0n, 2n ** 32n - 1n);
const ulong = isInteger(0n, 2n ** 64n - 1n);

/** The simple types: whether a text is one. */
export const TYPES = {
  string: () => true,
  uri: (text) => !/[\s<>"{}|\\^`]/.test(text),
  uint,
  ulong,
  integer: (text) => /^[+-]?\d+$/.test(text),
  double: (text) => /^([+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?INF|NaN)$/.test(text),
  boolean: oneOf('true', 'false', '0', '1'),
  duration: (text) => /^-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$/.test(text),
  dateTime: (text) =>
    /^-?\d{4,}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-4]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d):[0-5]\d)?$/.test(
      text,
    ),
  language: (text) => /^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$/.test(text),
  ratio: (text) => /^\d*:\d*$/.test(text),
  frameRate: (text) => /^\d+(\/[1-9]\d*)?$/.test(text),
  contentType: oneOf('text', 'image', 'audio', 'video', 'application', 'font'),
  sap: (text) => /^[0-6]$/.test(text),
  codecs: (text) => /^[^\s,"]+(,[^\s,"]+)*$/.test(text),
  noSpace: (text) => !/\s/.test(text),
  uintList: list(uint),
  fourCCs: list(() => true),
  byteRange: (text) => /^\d*(-\d*)?$/.test(text),
  scan: oneOf('progressive', 'interlaced', 'unknown'),
  presentation: oneOf('static', 'dynamic'),
  profiles: (text) => text !== '' && !/\s/.test(text),
  encoding: oneOf('base64'),
  prtType: oneOf('encoder', 'captured', 'application'),
  switching: oneOf('media', 'bitstream'),
  access: oneOf('closed', 'open', 'gradual'),
  alignment: (text) => uint(text) || TYPES.boolean(text),
  mediaType: oneOf('video', 'audio', 'any', 'all'),
};

/** `name!` is required. */
const attributes = (text) =>
  Object.fromEntries(
    text
      .trim()
      .split(/\s+/)
      .map((entry) => {
        const [name, type] = entry.split(':');
        return [name.replace('!', ''), { type, required: name.endsWith('!') }];
      }),
  );

/** `Name:Type` is one, `Name:Type*` any number, `Name:Type+` one or more, `Name:Type?` at most one. */
const children = (text) =>
  text
    .trim()
    .split(/\s+/)
    .filter(Boolean)
    .map((entry) => {
      const [, name, type, count] = /^(\w+):(\w+)([*+?]?)$/.exec(entry);
      return {
        name,
        type,
        least: count === '' || count === '+' ? 1 : 0,
        most: count === '*' || count === '+' ? Infinity : 1,
      };
    });

const BASE_CHILDREN = `
  FramePacking:Descriptor* AudioChannelConfiguration:Descriptor* ContentProtection:ContentProtection*
  OutputProtection:Descriptor? EssentialProperty:Descriptor* SupplementalProperty:Descriptor*
  InbandEventStream:EventStream* Switching:Switching* RandomAccess:RandomAccess* GroupLabel:Label* Label:Label*
  ProducerReferenceTime:ProducerReferenceTime* Resync:Resync*`;
const BASE_ATTRIBUTES = `
  profiles:profiles width:uint height:uint sar:ratio frameRate:frameRate audioSamplingRate:uintList mimeType:string
  segmentProfiles:fourCCs codecs:codecs containerProfiles:fourCCs maximumSAPPeriod:double startWithSAP:sap
  maxPlayoutRate:double codingDependency:boolean scanType:scan selectionPriority:uint tag:string`;
const SEGMENT_ATTRIBUTES = `
  timescale:uint eptDelta:integer pdDelta:integer presentationTimeOffset:ulong presentationDuration:ulong
  timeShiftBufferDepth:duration indexRange:byteRange indexRangeExact:boolean availabilityTimeOffset:double
  availabilityTimeComplete:boolean`;
const SEGMENT_CHILDREN = 'Initialization:Url? RepresentationIndex:Url? FailoverContent:Failover?';
const MULTIPLE_ATTRIBUTES = `${SEGMENT_ATTRIBUTES} duration:uint startNumber:ulong endNumber:ulong`;
const MULTIPLE_CHILDREN = `${SEGMENT_CHILDREN} SegmentTimeline:SegmentTimeline? BitstreamSwitching:Url?`;

const type = (kids, names = '', text = null) => ({
  children: children(kids),
  attributes: names.trim() ? attributes(names) : {},
  text,
});

/** The complex types. */
const SCHEMA = {
  MPD: type(
    `ProgramInformation:ProgramInformation* BaseURL:BaseURL* Location:Location* PatchLocation:PatchLocation*
     ServiceDescription:ServiceDescription* InitializationSet:Lax* InitializationGroup:Lax* InitializationPresentation:Lax*
     ContentProtection:ContentProtection* Period:Period+ Metrics:Lax* EssentialProperty:Descriptor*
     SupplementalProperty:Descriptor* UTCTiming:Descriptor* LeapSecondInformation:LeapSecond?`,
    `id:string profiles!:profiles type:presentation availabilityStartTime:dateTime availabilityEndTime:dateTime
     publishTime:dateTime mediaPresentationDuration:duration minimumUpdatePeriod:duration minBufferTime!:duration
     timeShiftBufferDepth:duration suggestedPresentationDelay:duration maxSegmentDuration:duration
     maxSubsegmentDuration:duration`,
  ),
  ProgramInformation: type('Title:Text? Source:Text? Copyright:Text?', 'lang:language moreInformationURL:uri'),
  BaseURL: type(
    '',
    `serviceLocation:string byteRange:string availabilityTimeOffset:double availabilityTimeComplete:boolean
     timeShiftBufferDepth:duration rangeAccess:boolean`,
    'uri',
  ),
  Location: type('', 'serviceLocation:string', 'uri'),
  PatchLocation: type('', 'serviceLocation:string ttl:double', 'uri'),
  ServiceDescription: type(
    `Scope:Descriptor* Latency:Latency* PlaybackRate:PlaybackRate* OperatingQuality:Operating* OperatingBandwidth:Operating*
     ContentSteering:ContentSteering* ClientDataReporting:Lax*`,
    'id:uint',
  ),
  Latency: type('QualityLatency:Lax*', 'referenceId:uint target:uint max:uint min:uint'),
  PlaybackRate: type('', 'max:double min:double'),
  Operating: type('', 'mediaType:mediaType min:uint max:uint target:uint type:uri maxDifference:uint'),
  ContentSteering: type('', 'defaultServiceLocation:string queryBeforeStart:boolean clientRequirement:boolean', 'uri'),
  Period: type(
    `BaseURL:BaseURL* SegmentBase:SegmentBase? SegmentList:SegmentList? SegmentTemplate:SegmentTemplate?
     AssetIdentifier:Descriptor? EventStream:EventStream* ServiceDescription:ServiceDescription*
     ContentProtection:ContentProtection* AdaptationSet:AdaptationSet* Subset:Lax* SupplementalProperty:Descriptor*
     EmptyAdaptationSet:AdaptationSet* GroupLabel:Label* Preselection:Lax*`,
    'id:string start:duration duration:duration bitstreamSwitching:boolean',
  ),
  EventStream: type('Event:Event*', 'schemeIdUri!:uri value:string timescale:uint presentationTimeOffset:ulong'),
  Event: {
    ...type('', 'presentationTime:ulong duration:ulong id:uint contentEncoding:encoding messageData:string'),
    text: 'string',
    lax: true,
  },
  AdaptationSet: type(
    `${BASE_CHILDREN} Accessibility:Descriptor* Role:Descriptor* Rating:Descriptor* Viewpoint:Descriptor*
     ContentComponent:Lax* BaseURL:BaseURL* SegmentBase:SegmentBase? SegmentList:SegmentList?
     SegmentTemplate:SegmentTemplate? Representation:Representation*`,
    `${BASE_ATTRIBUTES} id:uint group:uint lang:language contentType:contentType par:ratio minBandwidth:uint
     maxBandwidth:uint minWidth:uint maxWidth:uint minHeight:uint maxHeight:uint minFrameRate:frameRate
     maxFrameRate:frameRate segmentAlignment:alignment subsegmentAlignment:alignment subsegmentStartsWithSAP:sap
     bitstreamSwitching:boolean initializationSetRef:uintList initializationPrincipal:uri`,
  ),
  Representation: type(
    `${BASE_CHILDREN} BaseURL:BaseURL* ExtendedBandwidth:Lax* SubRepresentation:Lax* SegmentBase:SegmentBase?
     SegmentList:SegmentList? SegmentTemplate:SegmentTemplate?`,
    `${BASE_ATTRIBUTES} id!:noSpace bandwidth!:uint qualityRanking:uint dependencyId:string associationId:string
     associationType:fourCCs mediaStreamStructureId:string`,
  ),
  ContentProtection: {
    ...type('', 'schemeIdUri!:uri value:string id:string robustness:noSpace refId:string ref:string'),
    lax: true,
  },
  Descriptor: { ...type('', 'schemeIdUri!:uri value:string id:string'), lax: true },
  Label: type('', 'id:uint lang:language', 'string'),
  Switching: type('', 'interval!:uint type:switching'),
  RandomAccess: type('', 'interval!:uint type:access minBufferTime:duration bandwidth:uint'),
  ProducerReferenceTime: type(
    'UTCTiming:Descriptor?',
    'id!:uint inband:boolean type:prtType applicationScheme:string wallClockTime!:string presentationTime!:ulong',
  ),
  Resync: type('', 'type:sap dT:uint dImax:double dImin:double marker:boolean'),
  SegmentBase: type(SEGMENT_CHILDREN, SEGMENT_ATTRIBUTES),
  SegmentList: type(`${MULTIPLE_CHILDREN} SegmentURL:SegmentUrl*`, MULTIPLE_ATTRIBUTES),
  SegmentUrl: type('', 'media:uri mediaRange:byteRange index:uri indexRange:byteRange'),
  SegmentTemplate: type(
    MULTIPLE_CHILDREN,
    `${MULTIPLE_ATTRIBUTES} media:string index:string initialization:string bitstreamSwitching:string`,
  ),
  SegmentTimeline: type('Pattern:Lax* S:S*'),
  S: type('', 't:ulong n:ulong d!:ulong r:integer k:ulong p:ulong pE:ulong'),
  Failover: type('FCS:FailoverSection+', 'valid:boolean'),
  FailoverSection: type('', 't!:ulong d:ulong'),
  Url: type('', 'sourceURL:uri range:byteRange'),
  LeapSecond: type(
    '',
    'availabilityStartLeapOffset!:integer nextAvailabilityStartLeapOffset:integer nextLeapChangeTime:dateTime',
  ),
  Text: type('', '', 'string'),
  Lax: { children: [], attributes: {}, text: 'string', lax: true, any: true },
};

/**
 * Holds a document to the schema.
 *
 * @param {import('./xml.mjs').Element} root
 * @param {import('./findings.mjs').Findings} findings
 */
export function checkSchema(root, findings) {
  if (root.local !== 'MPD' || root.namespace !== MPD_NAMESPACE) {
    findings.must('schema-root', pathOf(root), `the root is ${root.local} of ${root.namespace}`);
    return;
  }
  checkElement(root, SCHEMA.MPD, findings);
}

function checkElement(element, form, findings) {
  const where = pathOf(element);
  if (form.any) return;
  for (const [name, value] of element.attributes) {
    // Attributes of other namespaces may stand anywhere.
    if (name.includes(':')) continue;
    const known = form.attributes[name];
    if (!known) findings.must('schema-attribute', where, `${element.local} has no attribute ${name}`);
    else if (!TYPES[known.type](value)) findings.must('schema-type', where, `@${name}="${value}" is no ${known.type}`);
  }
  for (const [name, { required }] of Object.entries(form.attributes)) {
    if (required && !element.attributes.has(name)) findings.must('schema-required', where, `@${name} is missing`);
  }
  const text = textIn(element);
  if (form.text === null && text !== '' && !form.lax)
    findings.must('schema-text', where, `the text ${JSON.stringify(text)}`);
  if (form.text === 'uri' && !TYPES.uri(text)) findings.must('schema-type', where, `${JSON.stringify(text)} is no URI`);
  checkChildren(element, form, findings, where);
}

function checkChildren(element, form, findings, where) {
  let at = 0;
  const counts = new Map();
  let foreign = false;
  for (const child of elements(element)) {
    if (child.namespace !== MPD_NAMESPACE) {
      foreign = true;
      continue;
    }
    const index = form.children.findIndex(({ name }) => name === child.local);
    if (index === -1) {
      if (!form.lax)
        findings.must('schema-element', pathOf(child), `${child.local} does not stand in ${element.local}`);
      continue;
    }
    if (index < at || foreign)
      findings.must('schema-order', pathOf(child), `${child.local} stands too late in ${element.local}`);
    at = Math.max(at, index);
    counts.set(child.local, (counts.get(child.local) ?? 0) + 1);
    checkElement(child, SCHEMA[form.children[index].type], findings);
  }
  for (const { name, least, most } of form.children) {
    const count = counts.get(name) ?? 0;
    if (count < least) findings.must('schema-missing', where, `${element.local} has no ${name}`);
    if (count > most) findings.must('schema-too-many', where, `${element.local} has ${count} ${name}`);
  }
}
