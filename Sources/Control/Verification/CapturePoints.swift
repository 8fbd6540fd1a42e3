internal import Capture

/// The capture points of a section, and how many records each of them has.
struct CapturePoints {
    private struct Point {
        var interface: PcapngInterface
        var place: CapturePlace?
        var records: UInt64 = 0
        var statistics: PcapngStatistics?
    }

    private static let linkTypeIPv4: UInt16 = 228
    private static let nanoseconds: UInt8 = 9
    private var points: [Point] = []

    /// Takes in an interface description.
    mutating func add(_ interface: PcapngInterface, _ report: inout VerificationReport) {
        let place = CapturePlace(interface.name)
        func finding(_ message: String) -> VerificationFinding {
            let message = "interface \(points.count) (\(interface.name)) \(message)"
            return VerificationFinding(check: .points, frame: nil, packet: nil, message: message)
        }
        if interface.linkType != Self.linkTypeIPv4 {
            report.add(finding("has link type \(interface.linkType), not \(Self.linkTypeIPv4)"))
        }
        if interface.resolution != Self.nanoseconds || interface.offset != 0 {
            report.add(finding("does not count time in nanoseconds"))
        }
        if let first = points.first, first.interface.snapLength != interface.snapLength {
            report.add(finding("has a snapshot length of its own, \(interface.snapLength)"))
        }
        if let place {
            if points.contains(where: { $0.place == place }) { report.add(finding("is there twice")) }
            if interface.details != place.details {
                report.add(finding("is described as \"\(interface.details)\""))
            }
        } else {
            report.add(finding("is not called LABEL:rx, LABEL:tx or drop"))
        }
        points.append(Point(interface: interface, place: place))
    }

    /// Counts a record, and tells where it was made; nil for an interface whose name says nothing.
    mutating func count(_ interface: Int) -> CapturePlace? {
        guard points.indices.contains(interface) else { return nil }
        points[interface].records += 1
        return points[interface].place
    }

    mutating func add(_ statistics: PcapngStatistics) {
        guard points.indices.contains(statistics.interface) else { return }
        points[statistics.interface].statistics = statistics
    }

    /// Whether the writer counted records that it could not write.
    var hasLosses: Bool { points.contains { ($0.statistics?.dropped ?? 0) > 0 } }

    /// Compares what was counted with what was written, at the end of a section.
    func finish(_ report: inout VerificationReport) {
        checkPairs(&report)
        guard points.contains(where: { $0.statistics != nil }) else {
            if !points.isEmpty { report.note("the trace was not closed: it ends without statistics") }
            return
        }
        for point in points {
            func add(_ message: String) {
                report.add(
                    VerificationFinding(
                        check: .statistics,
                        frame: nil,
                        packet: nil,
                        message: "\(point.interface.name) \(message)"
                    )
                )
            }
            guard let received = point.statistics?.received, let dropped = point.statistics?.dropped else {
                add("has no statistics")
                continue
            }
            let (written, overflow) = received.subtractingReportingOverflow(dropped)
            if overflow || written != point.records {
                add("has \(point.records) records, but counted \(received) with \(dropped) of them lost")
            }
        }
    }

    /// Every interface is seen in both directions, and there is one place for drops.
    private func checkPairs(_ report: inout VerificationReport) {
        let places = Set(points.compactMap(\.place))
        for place in places where place.kind != .dropped {
            var other = place
            other.kind = place.kind == .received ? .sent : .received
            if !places.contains(other) {
                let message = "\(place.label) has only one of :rx and :tx"
                report.add(VerificationFinding(check: .points, frame: nil, packet: nil, message: message))
            }
        }
        if !places.contains(where: { $0.kind == .dropped }) {
            report.add(VerificationFinding(check: .points, frame: nil, packet: nil, message: "there is no drop"))
        }
    }
}
