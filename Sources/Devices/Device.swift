/// What came of reading one frame.
package enum ReadResult: Equatable, Sendable {
    /// A frame of this many bytes, at the front of the buffer; a longer one was cut to the buffer's length.
    case frame(Int)
    /// Nothing is waiting: wait for the descriptor to become readable.
    case empty
    /// The interface is down; it may come back.
    case down
    /// The interface was deleted, or the other end closed: nothing will ever come.
    case gone
}

/// What came of writing one frame.
package enum WriteResult: Equatable, Sendable {
    /// The kernel, or the other end, has the whole frame.
    case sent
    /// There is no room or memory for it now; the frame was not taken.
    case full
    /// The interface is down; the frame was not taken.
    case down
    /// The interface was deleted, or the other end closed; no frame will be taken again.
    case gone
    /// The frame itself was refused: not IPv4 or IPv6, too long, or its virtio-net header contradicts it.
    case refused
}

/// Where frames come from and go: one queue of one interface.
///
/// A frame is an IP datagram, behind a virtio-net header where the queue was opened with one. Nothing here blocks. The
/// worker's loop is generic over its device, so that a test runs the very same loop; there is no existential.
package protocol Device: ~Copyable {
    /// What epoll watches: readable while a frame is waiting, in error once the device is gone.
    var pollDescriptor: Int32 { get }

    /// Reads the next frame into the front of `buffer`, which should have room for the longest one.
    ///
    /// Throws `SystemError` only for what has no place in `ReadResult`.
    mutating func read(into buffer: inout MutableRawSpan) throws(SystemError) -> ReadResult

    /// Writes one whole frame.
    ///
    /// Throws `SystemError` only for what has no place in `WriteResult`.
    mutating func write(_ frame: RawSpan) throws(SystemError) -> WriteResult
}
