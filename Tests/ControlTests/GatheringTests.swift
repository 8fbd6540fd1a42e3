import Control
import Testing

@Suite("Gathering of datagrams")
struct GatheringTests {
    private static let step: UInt64 = 10_000

    /// Turns in quick succession, each with so many packets of an interface; whether the last one is worth a rest.
    private func run(_ gathering: inout Gathering, _ turns: Int, source: UInt16?, count: Int = 1, at now: inout UInt64)
        -> Bool
    {
        var isWorthwhile = false
        for _ in 0..<turns {
            now += Self.step
            isWorthwhile = gathering.isWorthwhile(source: source, count: count, now: now)
        }
        return isWorthwhile
    }

    @Test("what comes one way, turn after turn, may gather; and only after enough turns")
    func oneWay() {
        var gathering = Gathering()
        var now: UInt64 = 1_000_000_000
        // The first turn only shows where packets come from.
        #expect(!run(&gathering, Gathering.evidence, source: 3, at: &now))
        #expect(run(&gathering, 1, source: 3, at: &now))
        #expect(run(&gathering, 100, source: 3, at: &now))
    }

    @Test("where anything goes the other way, or comes slowly, nothing is held up", arguments: [nil, 4] as [UInt16?])
    func otherWay(between: UInt16?) {
        var gathering = Gathering()
        var now: UInt64 = 1_000_000_000
        for _ in 0..<100 {
            #expect(!run(&gathering, Gathering.evidence, source: 3, at: &now))
            #expect(!run(&gathering, 1, source: between, at: &now))
        }
        for _ in 0..<100 {
            now += Gathering.succession
            #expect(!run(&gathering, 1, source: 3, at: &now))
        }
    }

    @Test("turns that are far apart are quick by what they find")
    func apart() {
        var gathering = Gathering()
        var now: UInt64 = 1_000_000_000
        for _ in 0..<Gathering.evidence {
            now += 9 * Gathering.succession
            let isTooEarly = gathering.isWorthwhile(source: 3, count: 10, now: now)
            #expect(!isTooEarly)
        }
        now += 9 * Gathering.succession
        let isQuick = gathering.isWorthwhile(source: 3, count: 10, now: now)
        #expect(isQuick)
        now += 10 * Gathering.succession
        let isSlow = gathering.isWorthwhile(source: 3, count: 10, now: now)
        #expect(!isSlow)
    }

    @Test("a backlog has gathered enough, and an empty turn changes nothing")
    func backlog() {
        var gathering = Gathering()
        var now: UInt64 = 1_000_000_000
        #expect(!run(&gathering, 100, source: 3, count: Gathering.enough, at: &now))
        #expect(run(&gathering, 1, source: 3, count: Gathering.enough - 1, at: &now))
        let isEmptyTurnWorthwhile = gathering.isWorthwhile(source: nil, count: 0, now: now)
        #expect(!isEmptyTurnWorthwhile)
        #expect(run(&gathering, 1, source: 3, at: &now))
    }
}
