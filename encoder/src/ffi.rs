//! The only unsafe code of the crate: what FFmpeg offers and its Rust binding does not wrap.
//!
//! One owner type for each foreign handle; no foreign pointer leaves this module.
#![expect(unsafe_code, reason = "the one module that may")]

use std::ptr::{self, NonNull};

use ffmpeg_next::{Error, codec::encoder, ffi, frame};

use crate::pixel::{Picture, Size};

/// A bilinear scaler for planar 4:2:0 pictures of one size into a window of pictures of another.
#[derive(Debug)]
pub(crate) struct Scaler {
    context: NonNull<ffi::SwsContext>,
    from: Size,
    to: Size,
}

impl Scaler {
    /// A scaler between two sizes; nothing when the library refuses them.
    pub(crate) fn new(from: Size, to: Size) -> Option<Self> {
        let format = ffi::AVPixelFormat::AV_PIX_FMT_YUV420P;
        let [fw, fh, tw, th] = [from.width, from.height, to.width, to.height].map(|side| side as i32);
        // SAFETY: sizes and formats are plain values; the three pointers are documented as optional.
        let context = unsafe {
            ffi::sws_getContext(
                fw,
                fh,
                format,
                tw,
                th,
                format,
                ffi::SWS_BILINEAR,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null(),
            )
        };
        Some(Self {
            context: NonNull::new(context)?,
            from,
            to,
        })
    }

    /// Whether the scaler is for these sizes.
    pub(crate) fn fits(&self, from: Size, to: Size) -> bool {
        self.from == from && self.to == to
    }

    /// Scales a picture into the window of `target` whose left upper corner is at an even place. Does nothing when the
    /// picture has another size or the window leaves the target.
    pub(crate) fn run(&mut self, picture: &Picture, target: &mut Picture, x: u32, y: u32) {
        let outer = target.size();
        if picture.size() != self.from || x + self.to.width > outer.width || y + self.to.height > outer.height
        {
            return;
        }
        let mut sources = [ptr::null::<u8>(); 4];
        let mut source_strides = [0i32; 4];
        let mut targets = [ptr::null_mut::<u8>(); 4];
        let mut target_strides = [0i32; 4];
        for plane in 0..3 {
            sources[plane] = picture.plane(plane).as_ptr();
            source_strides[plane] = picture.stride(plane) as i32;
            let stride = target.stride(plane);
            let shift = u32::from(plane > 0);
            let offset = (y >> shift) as usize * stride + (x >> shift) as usize;
            targets[plane] = target.plane_mut(plane)[offset..].as_mut_ptr();
            target_strides[plane] = stride as i32;
        }
        // SAFETY: the source planes hold `from.height` rows (half for chroma) of their strides, and the window of
        // `to` at (x, y) lies inside the target planes, both checked above; neither is used elsewhere meanwhile.
        unsafe {
            ffi::sws_scale(
                self.context.as_ptr(),
                sources.as_ptr(),
                source_strides.as_ptr(),
                0,
                self.from.height as i32,
                targets.as_ptr(),
                target_strides.as_ptr(),
            );
        }
    }
}

impl Drop for Scaler {
    fn drop(&mut self) {
        // SAFETY: the context came from `sws_getContext`, is owned by this value alone and not used after.
        unsafe { ffi::sws_freeContext(self.context.as_ptr()) }
    }
}

/// Sets the size in bits of the rate control's buffer, before the encoder is opened.
pub(crate) fn set_rate_buffer(encoder: &mut encoder::video::Video, bits: i32) {
    // SAFETY: the pointer is the encoder's own live context, borrowed mutably here.
    unsafe { (*encoder.as_mut_ptr()).rc_buffer_size = bits }
}

/// A VAAPI device and its pool of frames: pictures are copied to it before they are encoded.
#[derive(Debug)]
pub(crate) struct VaapiPool {
    frames: NonNull<ffi::AVBufferRef>,
}

// SAFETY: reference-counted buffers may be moved between threads; the value has no other thread's data.
unsafe impl Send for VaapiPool {}

impl VaapiPool {
    /// Opens the default device and a pool of NV12 frames of this size, and ties the encoder to it.
    pub(crate) fn attach(encoder: &mut encoder::video::Video, size: Size) -> Result<Self, Error> {
        let mut device = ptr::null_mut();
        let kind = ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_VAAPI;
        // SAFETY: `device` is a valid place for the new reference; name and options may be null.
        check(unsafe {
            ffi::av_hwdevice_ctx_create(&raw mut device, kind, ptr::null(), ptr::null_mut(), 0)
        })?;
        // SAFETY: `device` was just created; the frames context takes a reference of its own.
        let frames = unsafe { ffi::av_hwframe_ctx_alloc(device) };
        // SAFETY: this is the only reference that this function holds, and it is not used after.
        unsafe { ffi::av_buffer_unref(&raw mut device) };
        let pool = Self {
            frames: NonNull::new(frames).ok_or(Error::Other { errno: ffi::ENOMEM })?,
        };
        // SAFETY: the data of a frames context reference is an `AVHWFramesContext`, not yet shared with anyone.
        let context = unsafe { &mut *(*pool.frames.as_ptr()).data.cast::<ffi::AVHWFramesContext>() };
        context.format = ffi::AVPixelFormat::AV_PIX_FMT_VAAPI;
        context.sw_format = ffi::AVPixelFormat::AV_PIX_FMT_NV12;
        context.width = size.width as i32;
        context.height = size.height as i32;
        context.initial_pool_size = 20;
        // SAFETY: the context was filled in above and is owned by `pool`.
        check(unsafe { ffi::av_hwframe_ctx_init(pool.frames.as_ptr()) })?;
        // SAFETY: `pool.frames` is a live reference.
        let reference = unsafe { ffi::av_buffer_ref(pool.frames.as_ptr()) };
        // SAFETY: the encoder is not open yet and takes over the reference; it frees it with itself.
        unsafe { (*encoder.as_mut_ptr()).hw_frames_ctx = reference };
        Ok(pool)
    }

    /// Copies a picture to the device, with its time and type.
    pub(crate) fn upload(&self, picture: &frame::Video) -> Result<frame::Video, Error> {
        let mut uploaded = frame::Video::empty();
        // SAFETY: the pool is live and `uploaded` is an empty frame.
        check(unsafe { ffi::av_hwframe_get_buffer(self.frames.as_ptr(), uploaded.as_mut_ptr(), 0) })?;
        // SAFETY: both frames are live and of the same size.
        check(unsafe { ffi::av_hwframe_transfer_data(uploaded.as_mut_ptr(), picture.as_ptr(), 0) })?;
        uploaded.set_pts(picture.pts());
        uploaded.set_kind(picture.kind());
        Ok(uploaded)
    }
}

impl Drop for VaapiPool {
    fn drop(&mut self) {
        let mut frames = self.frames.as_ptr();
        // SAFETY: the reference is this value's own and not used after.
        unsafe { ffi::av_buffer_unref(&raw mut frames) };
    }
}

fn check(code: i32) -> Result<(), Error> {
    if code < 0 { Err(Error::from(code)) } else { Ok(()) }
}
