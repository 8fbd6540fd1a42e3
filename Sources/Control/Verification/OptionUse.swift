internal import Datapath
internal import Wire

/// Which records have comments and verdict options: a trace has them wherever they belong, or nowhere.
///
/// In the same way a datapath verifies the checksums of TCP and UDP, and then answers no packet whose checksum is wrong, or it trusts them.
/// The records without are kept with their text up to the limit of a report; whether they count is known at the end.
struct OptionUse {
    private var verdicts: UInt64 = 0
    private var comments: UInt64 = 0
    private var verifiesChecksums = false
    private var answeredWrong: [VerificationFinding] = []
    private var withoutVerdict: [VerificationFinding] = []
    private var withoutComment: [VerificationFinding] = []

    /// The record in which a packet ends: the place of the verdict.
    mutating func end(_ sighting: Sighting) {
        if sighting.comment != nil { comments += 1 }
        // Those of ICMP are verified always.
        if sighting.comment?.reason == .checksumL4, sighting.ip?.transport != .icmp { verifiesChecksums = true }
        if sighting.verdictCode != nil {
            verdicts += 1
        } else if withoutVerdict.count < VerificationReport.limit {
            withoutVerdict.append(sighting.finding(.verdicts, "has no verdict option, unlike others"))
        }
    }

    /// A packet that is not simply forwarded ends here: the place of a comment.
    mutating func endsNotably(_ sighting: Sighting, unless isReleased: Bool = false) {
        guard !isReleased, sighting.comment == nil, withoutComment.count < VerificationReport.limit else { return }
        withoutComment.append(sighting.finding(.comments, "has no comment, unlike others"))
    }

    /// A packet that the datapath answered: where checksums are verified, only one whose checksum is right.
    mutating func answers(_ cause: Sighting) {
        guard cause.ip?.isTransportChecksumValid == false, answeredWrong.count < VerificationReport.limit else {
            return
        }
        let message = "was answered, with a wrong checksum, which others were dropped for"
        answeredWrong.append(cause.finding(.checksumTransport, message))
    }

    func finish(_ report: inout VerificationReport) {
        if verdicts > 0 { withoutVerdict.forEach { report.add($0) } }
        if verifiesChecksums { answeredWrong.forEach { report.add($0) } }
        if comments > 0 { withoutComment.forEach { report.add($0) } }
    }
}
