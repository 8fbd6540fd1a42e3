import Testing

/// Tables of Cilium's Maglev: what an independent program made of these members, with Cilium's default seed.
///
/// The first one is published in Cilium's own test (pkg/maglev TestReproducible).
struct MaglevVector: Sendable, CustomTestStringConvertible {
    /// A member, what its key hashes to, and how many slots it has in the end.
    struct Member: Sendable {
        /// What stands in the table for it.
        var number: Int
        var key: String
        var weight: UInt32
        var offset: UInt64
        var skip: UInt64
        var slots: Int

        init(_ number: Int, _ key: String, weight: UInt32 = 1, _ offset: UInt64, _ skip: UInt64, slots: Int) {
            self.number = number
            self.key = "[\(key)/TCP,State:active]"
            self.weight = weight
            self.offset = offset
            self.skip = skip
            self.slots = slots
        }
    }

    var testDescription: String
    var size: Int
    var members: [Member]
    var beginning: [Int]
    /// The SHA-256 of all entries, joined by commas.
    var digest: String

    static let all: [MaglevVector] = [
        MaglevVector(
            testDescription: "four members with weights, 251 slots",
            size: 251,
            members: [
                Member(0, "0.0.0.1:1", weight: 2, 129, 67, slots: 4),
                Member(1, "0.0.0.3:3", weight: 13, 122, 225, slots: 24),
                Member(2, "0.0.0.4:4", weight: 111, 166, 219, slots: 204),
                Member(3, "0.0.0.5:5", weight: 10, 100, 52, slots: 19),
            ],
            beginning: [2, 2, 2, 2, 2, 3, 2, 2, 2, 1, 2, 2, 0, 2, 3, 2],
            digest: "de32754e4708ff063fa98115953c7f535af25d69e0706f71eb2d3a340abc7deb"
        ),
        MaglevVector(
            testDescription: "three equal members, 1021 slots",
            size: 1021,
            members: [
                Member(1, "0.0.0.1:1", 884, 167, slots: 341),
                Member(2, "0.0.0.2:2", 602, 229, slots: 340),
                Member(3, "0.0.0.3:3", 349, 305, slots: 340),
            ],
            beginning: [2, 1, 1, 1, 3, 3, 1, 1, 2, 2, 2, 1, 1, 3, 1, 3],
            digest: "2a08d4034b2a6a47ebb7a1fe3344765c0269c652d70ebdf728fbbbd9b77c2756"
        ),
        MaglevVector(
            testDescription: "two of them, 1021 slots",
            size: 1021,
            members: [
                Member(1, "0.0.0.1:1", 884, 167, slots: 511),
                Member(2, "0.0.0.2:2", 602, 229, slots: 510),
            ],
            beginning: [2, 1, 1, 1, 2, 2, 1, 1, 2, 2, 2, 1, 1, 1, 1, 2],
            digest: "042ca65649829efd3225a572ae2b4650f7a4b8411ed0e2c8fd0150510b121223"
        ),
        MaglevVector(
            testDescription: "three pods, 16381 slots",
            size: 16381,
            members: [
                Member(1, "10.244.0.1:8080", 916, 6811, slots: 5461),
                Member(2, "10.244.0.2:8080", 2282, 677, slots: 5460),
                Member(3, "10.244.0.3:8080", 12107, 3110, slots: 5460),
            ],
            beginning: [1, 3, 3, 2, 3, 2, 1, 1, 2, 2, 3, 1, 3, 3, 2, 1],
            digest: "1c0a3430862572ec3a26c45fa76ef6fabf59a0b189b1031ed6105c611695339e"
        ),
        MaglevVector(
            testDescription: "ten pods, 16381 slots",
            size: 16381,
            members: [
                Member(1, "10.244.0.1:8080", 916, 6811, slots: 1638),
                Member(2, "10.244.0.2:8080", 2282, 677, slots: 1638),
                Member(3, "10.244.0.3:8080", 12107, 3110, slots: 1638),
                Member(4, "10.244.0.4:8080", 2774, 14554, slots: 1638),
                Member(5, "10.244.0.5:8080", 16118, 13659, slots: 1638),
                Member(6, "10.244.0.6:8080", 650, 4435, slots: 1638),
                Member(7, "10.244.0.7:8080", 1603, 15343, slots: 1638),
                Member(8, "10.244.0.8:8080", 8, 4606, slots: 1638),
                Member(9, "10.244.0.9:8080", 16029, 5108, slots: 1638),
                Member(10, "10.244.0.10:8080", 5555, 5219, slots: 1639),
            ],
            beginning: [6, 4, 4, 6, 5, 4, 1, 10, 8, 2, 8, 10, 8, 4, 7, 1],
            digest: "3335c8dd6678600312b8ac05ef9a77b1c4306661264da9347e55786039233148"
        ),
    ]
}
