//! COSE_Encrypt (RFC 9052 §5.1) for recipients that agree on a key: a pattern that whoever has a private key can read.

use ciborium::Value;
use p256::{PublicKey, SecretKey};

use crate::{
    agree::{Agreed, AgreementKey, compressed_point, cose_key, is_ours, point},
    cbor::{Item, Reader},
    cose::{Context, HEADER_ALG, HEADER_IV, HEADER_KID, Headers, Seen, additional_data, cose},
    encrypt::Cipher,
    error::{MintError, Refusal},
    key::Algorithm,
    limits::{MAX_RECIPIENTS, NONCE_BYTES},
    mint::protected,
};

/// The tag of COSE_Encrypt.
pub(crate) const TAG_ENCRYPT: u64 = 96;

/// Header parameters of the algorithms that agree on a key (RFC 9053 §5.1, §6.3.1).
const STATIC_KEY: i128 = -2;
const STATIC_KEY_ID: i128 = -3;
const SALT: i128 = -20;
const PARTY_U_IDENTITY: i128 = -21;
const PARTY_U_NONCE: i128 = -22;
const PARTY_V_OTHER: i128 = -26;

/// A COSE_Encrypt, all of it borrowed from the bytes as received.
#[derive(Clone, Debug)]
pub(crate) struct Envelope<'a> {
    protected: &'a [u8],
    alg: Option<i128>,
    iv: Option<&'a [u8]>,
    ciphertext: &'a [u8],
    recipients: Vec<Recipient<'a>>,
}

/// For whom the content's key is wrapped, and how.
#[derive(Clone, Debug)]
pub(crate) struct Recipient<'a> {
    /// The name of its key.
    pub(crate) kid: Option<&'a [u8]>,
    alg: Option<i128>,
    sender: Option<Sender<'a>>,
    agreed: Agreed<'a>,
    wrapped: &'a [u8],
}

/// Whose static key it was agreed on with.
#[derive(Clone, Debug)]
pub(crate) enum Sender<'a> {
    /// It is in the message.
    Here(Box<PublicKey>),
    /// The recipient knows it by this name.
    Named(&'a [u8]),
}

impl<'a> Envelope<'a> {
    /// Reads a message with its tag or without: an array of four, and nothing after it.
    ///
    /// # Errors
    /// What is no COSE_Encrypt; a critical header; more recipients than are looked at.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(bytes);
        let mut first = reader.next()?;
        if first == Item::Tag(TAG_ENCRYPT) {
            first = reader.next()?;
        }
        if first != Item::Array(4) {
            return Err(cose("not an array of four"));
        }
        let mut headers = Headers::default();
        let protected = headers.read_both(&mut reader)?;
        let Item::Bytes(ciphertext) = reader.next()? else {
            return Err(cose("the ciphertext is not a byte string"));
        };
        let count = match reader.next()? {
            Item::Array(count) if (1..=MAX_RECIPIENTS).contains(&count) => count,
            _ => return Err(cose("not one to eight recipients")),
        };
        let mut recipients = Vec::new();
        for _ in 0..count {
            recipients.push(Recipient::read(&mut reader)?);
        }
        reader.end()?;
        Ok(Self {
            protected,
            alg: headers.alg,
            iv: headers.iv,
            ciphertext,
            recipients,
        })
    }

    /// The recipients whose algorithm is ours.
    pub(crate) fn recipients(&self) -> impl Iterator<Item = &Recipient<'a>> {
        self.recipients.iter().filter(|recipient| is_ours(recipient.alg))
    }

    /// Opens the content by a recipient's key, where the sender's is this one.
    pub(crate) fn open(
        &self,
        recipient: &Recipient<'a>,
        key: &AgreementKey,
        sender: &PublicKey,
    ) -> Option<Vec<u8>> {
        let content = key.unwrap(sender, &recipient.agreed, recipient.wrapped)?;
        let cipher = Cipher::new(Algorithm::from_cose_id(self.alg?)?, &content)?;
        let data = additional_data(Context::Encrypt, self.protected);
        cipher.open(self.iv, self.ciphertext, &data).ok()
    }
}

impl<'a> Recipient<'a> {
    /// Reads an array of three. One of another algorithm may be for somebody else, and whatever is in it.
    fn read(reader: &mut Reader<'a>) -> Result<Self, Refusal> {
        if reader.next()? != Item::Array(3) {
            return Err(cose("a recipient is not an array of three"));
        }
        let Item::Bytes(protected) = reader.next()? else {
            return Err(cose("a recipient's protected header is not a byte string"));
        };
        let mut recipient = Self {
            kid: None,
            alg: None,
            sender: None,
            agreed: Agreed {
                protected,
                ..Agreed::default()
            },
            wrapped: &[],
        };
        let mut seen = Seen::default();
        if !protected.is_empty() {
            let mut inner = Reader::new(protected);
            recipient.read_map(&mut inner, &mut seen)?;
            inner.end()?;
        }
        recipient.read_map(reader, &mut seen)?;
        let Item::Bytes(wrapped) = reader.next()? else {
            return Err(cose("a recipient's wrapped key is not a byte string"));
        };
        recipient.wrapped = wrapped;
        Ok(recipient)
    }

    fn read_map(&mut self, reader: &mut Reader<'a>, seen: &mut Seen<'a>) -> Result<(), Refusal> {
        const ALG: i128 = HEADER_ALG as i128;
        const CRIT: i128 = 2;
        const KID: i128 = HEADER_KID as i128;
        for _ in 0..reader.map()? {
            let Some(label) = seen.read(reader)? else {
                reader.skip()?;
                continue;
            };
            match label {
                ALG => match reader.next()? {
                    Item::Integer(alg) => self.alg = Some(alg),
                    _ => return Err(cose("alg is not an integer")),
                },
                CRIT => return Err(cose("a critical header that is not understood")),
                KID => self.kid = Some(bytes(reader)?),
                STATIC_KEY => self.sender = Some(Sender::Here(Box::new(read_key(reader)?))),
                STATIC_KEY_ID => self.sender = Some(Sender::Named(bytes(reader)?)),
                SALT => self.agreed.salt = Some(bytes(reader)?),
                PARTY_V_OTHER..=PARTY_U_IDENTITY => {
                    let at = usize::try_from(PARTY_U_IDENTITY - label).unwrap_or_default();
                    let said = Some(bytes(reader)?);
                    let parties = [&mut self.agreed.party_u, &mut self.agreed.party_v];
                    if let Some(place) = parties.into_iter().flatten().nth(at) {
                        *place = said;
                    }
                }
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    /// Whose static key was used.
    pub(crate) const fn sender(&self) -> Option<&Sender<'a>> {
        self.sender.as_ref()
    }
}

fn bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
    match reader.next()? {
        Item::Bytes(bytes) => Ok(bytes),
        _ => Err(cose("a header of a recipient is not a byte string")),
    }
}

/// Reads a COSE_Key of a point of P-256, with both coordinates or with the sign of the second.
fn read_key(reader: &mut Reader<'_>) -> Result<PublicKey, Refusal> {
    const WRONG: Refusal = cose("the sender's key is no point of P-256");
    let (mut kty, mut curve, mut x, mut y) = (None, None, None, None);
    for _ in 0..reader.map()? {
        let key = reader.key()?;
        let value = reader.clone();
        reader.skip()?;
        let raw = value.until(reader);
        let coordinate = || -> Option<[u8; 32]> {
            match value.clone().next() {
                Ok(Item::Bytes(bytes)) => bytes.try_into().ok(),
                _ => None,
            }
        };
        match key {
            Item::Integer(1) => kty = Some(raw == [2]),
            Item::Integer(-1) => curve = Some(raw == [1]),
            Item::Integer(-2) => x = coordinate(),
            Item::Integer(-3) => {
                y = match raw {
                    [0xf4] => Some(Second::Even),
                    [0xf5] => Some(Second::Odd),
                    _ => coordinate().map(Second::Whole),
                };
            }
            _ => {}
        }
    }
    let (Some(true), Some(true), Some(x), Some(y)) = (kty, curve, x, y) else {
        return Err(WRONG);
    };
    match y {
        Second::Even => compressed_point(x, false),
        Second::Odd => compressed_point(x, true),
        Second::Whole(y) => point(x, y),
    }
    .ok_or(WRONG)
}

/// A point's second coordinate.
enum Second {
    Even,
    Odd,
    Whole([u8; 32]),
}

/// What an envelope is made of that nobody may guess: 92 random bytes, which serve one envelope.
#[derive(Clone)]
pub struct EnvelopeSeed {
    /// A key pair of the sender's: a scalar of P-256.
    pub sender: [u8; 32],
    /// The content's key.
    pub content: [u8; 32],
    /// The content's nonce.
    pub nonce: [u8; NONCE_BYTES],
    /// The nonce of the agreement (PartyU), for static keys that are used again.
    pub agreement: [u8; 16],
}

/// Encrypts a text to a key: COSE_Encrypt with one recipient, and A256GCM around the text.
///
/// # Errors
/// The seed's `sender` is no scalar of P-256 (fewer than one in 2^32 random ones), or something could not be computed.
pub(crate) fn seal(text: &[u8], recipient: &AgreementKey, seed: &EnvelopeSeed) -> Result<Value, MintError> {
    let sender = SecretKey::from_slice(&seed.sender).map_err(|_| MintError::Seal)?;
    let wrapping = protected(Algorithm::EcdhSsA128Kw)?;
    let agreed = Agreed {
        party_u: [None, Some(&seed.agreement), None],
        protected: &wrapping,
        ..Agreed::default()
    };
    let wrapped = recipient
        .wrap(&sender, &agreed, &seed.content)
        .ok_or(MintError::Seal)?;
    let content = protected(Algorithm::A256Gcm)?;
    let cipher = Cipher::new(Algorithm::A256Gcm, &seed.content).ok_or(MintError::Seal)?;
    let data = additional_data(Context::Encrypt, &content);
    let ciphertext = cipher.close(seed.nonce, text.to_vec(), &data)?;
    let mut unprotected = vec![
        (
            negative(STATIC_KEY),
            cose_key(&sender.public_key()).map_err(|_| MintError::Seal)?,
        ),
        (negative(PARTY_U_NONCE), Value::Bytes(seed.agreement.to_vec())),
    ];
    if !recipient.kid().is_empty() {
        unprotected.insert(0, (HEADER_KID.into(), Value::Bytes(recipient.kid().into())));
    }
    let recipient = Value::Array(vec![
        Value::Bytes(wrapping),
        Value::Map(unprotected),
        Value::Bytes(wrapped),
    ]);
    let message = Value::Array(vec![
        Value::Bytes(content),
        Value::Map(vec![(HEADER_IV.into(), Value::Bytes(seed.nonce.to_vec()))]),
        Value::Bytes(ciphertext),
        Value::Array(vec![recipient]),
    ]);
    Ok(Value::Tag(TAG_ENCRYPT, Box::new(message)))
}

fn negative(label: i128) -> Value {
    Value::Integer(i64::try_from(label).unwrap_or_default().into())
}
