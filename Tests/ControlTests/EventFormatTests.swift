import Control
import Datapath
import Foundation
import Testing
import Wire

/// How single values are written.
@Suite("Event format")
struct EventFormatTests {
    private static let hostile = [
        "a/b:c", "quote\"inside", "back\\slash", "\\", "\"", "\\\"", "new\nline", "tab\tbell\u{7}", "nul\u{0}",
        "\u{1f}\u{7f}\u{80}",
        "ä/ß", "\u{2028}\u{2029}", "😀", "</script>", "\",\"verdict\":\"forward", "{\"a\":1}", "e\u{301}", "a\u{feff}b",
    ]

    @Test(arguments: hostile)
    func namesAreQuoted(_ name: String) throws {
        var packet = Packet()
        packet.service = 1
        packet.backend = FlowEndpoint(address: IPv4Address(10, 0, 0, 1), port: 80)
        let line = try json(packet, names: ["", name], labels: [name])
        let event = try ReadEvent(line)
        #expect(event.followsTheContract)
        #expect(Array((event.text("service") ?? "").utf8) == Array(name.utf8))
        #expect(Array((event.text("interface") ?? "").utf8) == Array(name.utf8))
        #expect(line.utf8.allSatisfy { $0 >= 0x20 })
    }

    /// All single bytes of ASCII in one name.
    @Test func allOfASCIIIsQuoted() throws {
        let name = String(decoding: (0...127).map { UInt8($0) }, as: UTF8.self)
        var packet = Packet()
        packet.service = 1
        let event = try ReadEvent(try json(packet, names: ["", name]))
        #expect(event.text("service").map { Array($0.utf8) } == Array(name.utf8))
    }

    private static func written(_ time: UInt64) -> String {
        var text = TextBuffer()
        text.append(time: time)
        return String(decoding: text.bytes, as: UTF8.self)
    }

    /// The same from Foundation's calendar.
    private static func expected(_ seconds: UInt64, nanoseconds: UInt64, _ calendar: Calendar) -> String {
        let date = Date(timeIntervalSince1970: Double(seconds))
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date)
        func number(_ value: Int?, _ digits: Int) -> String {
            let text = String(value ?? -1)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        let day = "\(number(parts.year, 4))-\(number(parts.month, 2))-\(number(parts.day, 2))"
        let clock = "\(number(parts.hour, 2)):\(number(parts.minute, 2)):\(number(parts.second, 2))"
        return "\(day)T\(clock).\(number(Int(nanoseconds), 9))Z"
    }

    private static func gregorian() throws -> Calendar {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "GMT"))
        return calendar
    }

    /// The turns of every year that 64 bits of nanoseconds reach, and of its February, to the nanosecond.
    @Test func datesAreThoseOfTheCalendar() throws {
        let calendar = try Self.gregorian()
        for year in 1971...2553 {
            for (month, day) in [(1, 1), (2, 28), (3, 1), (12, 31)] {
                let midnight = try #require(calendar.date(from: DateComponents(year: year, month: month, day: day)))
                let seconds = UInt64(midnight.timeIntervalSince1970)
                for (second, nanosecond) in [(seconds - 1, 999_999_999), (seconds, 0), (seconds + 86399, 7)] {
                    let written = Self.written(second * 1_000_000_000 + UInt64(nanosecond))
                    #expect(written == Self.expected(second, nanoseconds: UInt64(nanosecond), calendar))
                }
            }
        }
    }

    @Test func everyDayOfFiveCenturiesFollowsTheOneBefore() throws {
        let calendar = try Self.gregorian()
        for day in stride(from: UInt64(0), to: 213_500, by: 97) {
            let time = day * 86400 + 43210
            #expect(Self.written(time * 1_000_000_000) == Self.expected(time, nanoseconds: 0, calendar))
        }
    }

    @Test(arguments: [
        (UInt64(0), "1970-01-01T00:00:00.000000000Z"), (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
        (951_868_799_999_999_999, "2000-02-29T23:59:59.999999999Z"),
        (1_709_251_199_000_000_000, "2024-02-29T23:59:59.000000000Z"),
        (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
        (1_767_225_599_123_456_789, "2025-12-31T23:59:59.123456789Z"),
        (UInt64.max, "2554-07-21T23:34:33.709551615Z"),
    ])
    func datesThatAreKnown(_ time: UInt64, _ expected: String) { #expect(Self.written(time) == expected) }

    @Test func numbersAreWritten() throws {
        for number in [0, 1, 9, 10, 99, 100, UInt64.max, UInt64.max - 1, 1_000_000_007] {
            var packet = Packet()
            packet.number = number
            packet.flow = number
            let line = try json(packet)
            #expect(line.hasPrefix("{\"packet\":\(number),"))
            #expect(line.contains(",\"flow\":\(number == 0 ? "null" : String(number)),"))
        }
    }

    /// The verdicts after which nothing of the packet is on its way any more have no translation.
    @Test func translationsAreOfPacketsThatWereSent() throws {
        for verdict in Verdict.allCases where verdict != .undecided {
            var packet = Packet()
            packet.hasAddresses = true
            packet.hasPorts = true
            packet.transport = .udp
            packet.verdict = verdict
            let event = try ReadEvent(try json(packet))
            let isSent = [.forward, .pass, .local].contains(verdict)
            #expect(event.text("verdict") == verdict.word)
            #expect((event.text("translatedSource") != nil) == isSent)
            #expect((event.text("translatedDestination") != nil) == isSent)
            #expect(event.text("source") == "0.0.0.0:0")
            #expect(event.text("egress") == nil)
        }
    }
}
