internal import Wire

// What a trace is made of, byte by byte. All numbers are stored least significant byte first, and nothing but the
// arguments goes in: no clock, no host name. Block and option numbers: draft-ietf-opsawg-pcapng sections 3.5, 4 and 10.

/// The kinds of epb_verdict that can hold a number (section 4.3.1); the numbers are those of the kernel.
package enum TraceVerdictKind: UInt8, Sendable {
    /// TC_ACT_….
    case trafficControl = 1
    /// XDP_….
    case expressDataPath = 2
}

extension ByteSink {
    static let linkTypeIPv4: UInt16 = 228
    static let linkTypeRaw: UInt32 = 101

    /// Puts a block around what `body` puts.
    @inline(__always)
    mutating func block(_ type: UInt32, _ body: (inout ByteSink) -> Void) {
        let start = count
        put(type)
        put(UInt32(0))
        body(&self)
        pad(from: start)
        let length = UInt32(count - start + 4)
        put(length)
        set(length, at: start + 4)
    }

    @inline(__always)
    mutating func option(_ code: UInt16, _ value: RawSpan) {
        let length = min(value.byteCount, 65_532)
        put(code)
        put(UInt16(length))
        let start = count
        put(value.extracting(first: length))
        pad(from: start)
    }

    mutating func option(_ code: UInt16, text: String) {
        let bytes = [UInt8](text.utf8)
        option(code, bytes.raw)
    }

    @inline(__always)
    mutating func option(_ code: UInt16, _ value: UInt64) {
        put(code)
        put(UInt16(8))
        put(value)
    }

    @inline(__always)
    mutating func endOfOptions() { put(UInt32(0)) }

    /// Section Header Block.
    ///
    /// The application comes first, so that a reader finds it early.
    mutating func sectionHeader(application: String, comment: String?) {
        block(PcapngBlockType.section) { sink in
            sink.put(PcapngBlockType.byteOrderMagic)
            sink.put(UInt16(1))
            sink.put(UInt16(0))
            sink.put(Int64(-1))
            sink.option(4, text: application)
            if let comment { sink.option(1, text: comment) }
            sink.endOfOptions()
        }
    }

    /// Interface Description Block: IPv4 without a link layer, nanoseconds.
    ///
    /// libpcap reads several interfaces only if link type and snapshot length are the same in all.
    mutating func interface(_ point: TracePoint) {
        block(PcapngBlockType.interface) { sink in
            sink.put(Self.linkTypeIPv4)
            sink.put(UInt16(0))
            sink.put(UInt32(TraceProducer.snapLength))
            sink.option(2, text: point.name)
            if let details = point.details { sink.option(3, text: details) }
            sink.put(UInt16(9))
            sink.put(UInt16(1))
            sink.put(UInt32(9))  // 10^-9 s, and three bytes of padding.
            sink.endOfOptions()
        }
    }

    /// Name Resolution Block with records of type nrb_record_ipv4.
    mutating func names(_ records: ArraySlice<TraceName>) {
        block(PcapngBlockType.nameResolution) { sink in
            for record in records {
                sink.put(UInt16(1))
                sink.put(UInt16(4 + record.name.utf8.count + 1))
                let start = sink.count
                sink.put(record.address.bits.bigEndian)
                for byte in record.name.utf8 { sink.put(byte) }
                sink.put(UInt8(0))
                sink.pad(from: start)
            }
            sink.put(UInt32(0))
        }
    }

    /// Interface Statistics Block: isb_ifrecv and isb_ifdrop.
    mutating func statistics(point: Int, time: UInt64, received: UInt64, dropped: UInt64) {
        block(PcapngBlockType.statistics) { sink in
            sink.put(UInt32(point))
            sink.put(UInt32(truncatingIfNeeded: time >> 32))
            sink.put(UInt32(truncatingIfNeeded: time))
            sink.option(4, received)
            sink.option(5, dropped)
            sink.endOfOptions()
        }
    }

    /// The header of a classic pcap file with nanoseconds (draft-ietf-opsawg-pcap section 4).
    mutating func classicHeader() {
        put(UInt32(0xa1b2_3c4d))
        put(UInt16(2))
        put(UInt16(4))
        put(UInt64(0))
        put(UInt32(TraceProducer.snapLength))
        put(Self.linkTypeRaw)
    }

    /// A packet record of a classic pcap file (section 5); times from 2106 on become the last one before.
    @inline(__always)
    mutating func classicPacket(_ record: TraceRecord, _ bytes: RawSpan) {
        put(UInt32(clamping: record.time / 1_000_000_000))
        put(UInt32(record.time % 1_000_000_000))
        put(record.capturedLength)
        put(record.originalLength)
        put(bytes)
    }
}
