/// What stands before each frame of a TUN with offloads: what the kernel left undone in the frame it hands over, or what is
/// left to it in one that it is given (struct virtio_net_hdr of linux/virtio_net.h, ten bytes).
///
/// Its fields are in the byte order of the machine. Nothing in it has been checked against the frame.
public struct VirtioNetHeader: Equatable, Sendable, BitwiseCopyable {
    /// Whether the transport checksum is still to be computed: `checksumStart` and `checksumOffset` say where
    /// (VIRTIO_NET_HDR_F_NEEDS_CSUM).
    public var needsChecksum: Bool
    /// What kind of super-packet it is: VIRTIO_NET_HDR_GSO_…, without the bit for ECN.
    public var segmentation: Segmentation
    /// Whether a TCP super-packet has the CWR flag, which its first segment only may carry (VIRTIO_NET_HDR_GSO_ECN).
    public var reducesWindow: Bool
    /// How many bytes of headers each segment has, a hint.
    public var headerLength: UInt16
    /// How many bytes of payload each segment has but for the last one.
    public var segmentSize: UInt16
    /// Where what the checksum covers begins, in bytes from the beginning of the frame.
    public var checksumStart: UInt16
    /// Where the checksum stands, in bytes from `checksumStart`.
    public var checksumOffset: UInt16

    /// The kinds of super-packets.
    public struct Segmentation: RawRepresentable, Equatable, Sendable, BitwiseCopyable {
        /// The number that the header has.
        public var rawValue: UInt8

        /// The kind with a number.
        @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The frame is one packet.
        @inlinable public static var none: Self { Self(rawValue: 0) }
        /// TCP over IPv4, to be cut into segments.
        @inlinable public static var tcp4: Self { Self(rawValue: 1) }
        /// UDP, to be cut into datagrams (UDP_SEGMENT of udp(7)).
        @inlinable public static var udp: Self { Self(rawValue: 5) }
    }

    /// The length in bytes.
    @inlinable public static var length: Int { 10 }
    /// A full checksum and no segmentation: nothing is left to do.
    @inlinable public static var plain: VirtioNetHeader { VirtioNetHeader() }

    /// The header of a frame that is a whole packet.
    @inlinable public init() {
        needsChecksum = false
        segmentation = .none
        reducesWindow = false
        headerLength = 0
        segmentSize = 0
        checksumStart = 0
        checksumOffset = 0
    }

    /// Whether there is nothing to do.
    @inlinable public var isPlain: Bool { !needsChecksum && segmentation == .none }

    /// Reads the first ten bytes.
    ///
    /// Traps where there are less.
    @inlinable public init(_ bytes: RawSpan) {
        needsChecksum = bytes.load8(0) & 1 != 0
        segmentation = Segmentation(rawValue: bytes.load8(1) & ~Self.ecnBit)
        reducesWindow = bytes.load8(1) & Self.ecnBit != 0
        headerLength = bytes.loadBE16(2).bigEndian
        segmentSize = bytes.loadBE16(4).bigEndian
        checksumStart = bytes.loadBE16(6).bigEndian
        checksumOffset = bytes.loadBE16(8).bigEndian
    }

    /// Writes the header over the first ten bytes.
    ///
    /// Traps where there are less.
    @inlinable public func write(to bytes: inout MutableRawSpan) {
        bytes.store8(needsChecksum ? 1 : 0, at: 0)
        bytes.store8(segmentation.rawValue | (reducesWindow ? Self.ecnBit : 0), at: 1)
        bytes.storeBE(headerLength.bigEndian, at: 2)
        bytes.storeBE(segmentSize.bigEndian, at: 4)
        bytes.storeBE(checksumStart.bigEndian, at: 6)
        bytes.storeBE(checksumOffset.bigEndian, at: 8)
    }

    @usableFromInline static var ecnBit: UInt8 { 0x80 }
}
