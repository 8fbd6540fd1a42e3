internal import Tables
internal import Wire

// The cases that need a closer look: what opens and closes a connection, what is let through because only the two ends can
// know, and what lies outside of the windows. After tcp_packet of net/netfilter/nf_conntrack_proto_tcp.c, with the RST rules
// of RFC 5961 section 3.

extension FlowTracker {
    /// Enters the first segment of a connection, or of one that is picked up in its middle.
    func beginTCP(_ flow: inout Flow, _ segment: SegmentVariables, _ frame: RawSpan) {
        switch TCPEvent(segment.flags) {
        case .syn: flow.state = .synSent
        case .rst: flow.state = .close
        // Half of a handshake is no connection yet, and must not live as long as one.
        case .synAck: flow.state = .synReceived
        case .fin: flow.state = .finWait
        default: flow.state = .established
        }
        if flow.state == .synSent {
            flow.beginSide(.original, segment, TCPOptions.offer(frame, segment.options))
            return
        }
        flow.flags.formUnion([.pickedUp, .originalPermitsSACK, .replyPermitsSACK])
        flow.adoptSide(.original, segment)
    }

    /// Enters a segment of a connection that did not take the short way.
    func trackTCP(
        _ flow: inout Flow,
        _ direction: FlowDirection,
        _ segment: SegmentVariables,
        _ frame: RawSpan,
        now: UInt64
    ) -> Judgment {
        let event = TCPEvent(segment.flags)
        let next: FlowState
        switch transition(event, direction, in: flow.state) {
        case .invalid: return .invalid
        case .ignored: return letThrough(&flow, event, direction, segment, frame, now: now)
        case .to(let state): next = state
        }
        if event == .rst { return reset(&flow, direction, segment, to: next, now: now) }
        if event == .ack && flow.awaitsChallenge(from: direction) {
            // It answers the SYN that was let through, and is not the last ACK of the old connection.
            flow.forgetNoted()
            return .ignored
        }
        switch flow.admit(segment, direction, frame) {
        case .inside, .surplus: break
        case .old: return .ignored
        case .outside: return .invalid
        }
        flow.forgetNoted()
        settle(&flow, direction, in: next, now: now)
        return .fits
    }

    /// What only the two ends can judge: a SYN on an open connection and the answers to it, and an ACK that answers a SYN.
    private func letThrough(
        _ flow: inout Flow,
        _ event: TCPEvent,
        _ direction: FlowDirection,
        _ segment: SegmentVariables,
        _ frame: RawSpan,
        now: UInt64
    ) -> Judgment {
        switch (event, direction) {
        case (.syn, .original):
            flow.noteSYN(segment, TCPOptions.offer(frame, segment.options))
        case (.synAck, .reply):
            if flow.flags.contains(.notedSYN) && segment.acknowledgment == flow.noted {
                // Both ends have begun anew, and only we did not know.
                flow.beginAnew()
                flow.acceptSYN(segment, .reply, TCPOptions.offer(frame, segment.options))
                settle(&flow, .reply, in: .synReceived, now: now)
                return .fits
            }
            if flow.state == .synReceived && flow.acknowledgesSYN(segment, from: .reply) {
                flow.acceptSYN(segment, .reply, TCPOptions.offer(frame, segment.options))
            }
        case (.ack, .reply) where flow.state == .synSent:
            // The far end still has an older connection (RFC 5961 section 4): it is told so by a RST from the client.
            flow.flags.insert(.notedACK)
            flow.noted = segment.acknowledgment
        default: break
        }
        return .ignored
    }

    /// A RST ends a connection if its number is the one that is expected next.
    ///
    /// So a forged one has to guess it (RFC 5961 section 3.2). What is already ending, ends.
    private func reset(
        _ flow: inout Flow,
        _ direction: FlowDirection,
        _ segment: SegmentVariables,
        to next: FlowState,
        now: UInt64
    ) -> Judgment {
        switch flow.judgeReset(segment, direction) {
        case .ignored: return .ignored
        case .invalid: return .invalid
        case .fits:
            flow.forgetNoted()
            settle(&flow, direction, in: next, now: now)
            return .fits
        }
    }
}

extension Flow {
    /// Begins what is known of a side with its SYN.
    fileprivate mutating func beginSide(
        _ direction: FlowDirection,
        _ segment: SegmentVariables,
        _ offer: TCPOptions.Offer
    ) {
        var side = TCPSide()
        side.end = segment.end
        side.maxEnd = segment.end
        side.maxWindow = max(segment.window, 1)
        side.maxAck = segment.sequence &+ 1
        windows[direction] = side
        windows.setScale(direction, offer.windowScale ?? TCPSide.unscaled)
        flags.remove([.permitsSACK(direction), .acknowledged(direction)])
        if offer.permitsSACK { flags.insert(.permitsSACK(direction)) }
    }

    /// Begins what is known of a side in the middle of a connection.
    fileprivate mutating func adoptSide(_ direction: FlowDirection, _ segment: SegmentVariables) {
        let other = direction.opposite
        var side = windows[direction]
        side.end = segment.end
        side.maxWindow = max(TCPSide.scaled(segment.window, windows.scale(direction)), 1)
        side.maxEnd = segment.end &+ side.maxWindow
        windows[direction] = side
        guard segment.flags.contains(.ack) else { return }
        windows[direction].maxAck = segment.acknowledgment
        flags.insert(.acknowledged(direction))
        // Until the other side is seen, it has sent what is acknowledged.
        if windows[other].maxWindow == 0 {
            windows[other].end = segment.acknowledgment
            windows[other].maxEnd = segment.acknowledgment
        }
    }

    /// Whether a segment acknowledges the SYN of its receiver; the data of that SYN (RFC 7413) may be left out.
    fileprivate func acknowledgesSYN(_ segment: SegmentVariables, from direction: FlowDirection) -> Bool {
        let other = direction.opposite
        let receiver = windows[other]
        let first = flags.contains(.acknowledged(other)) ? receiver.end : receiver.maxAck
        return segment.flags.contains(.ack) && !segment.acknowledgment.isBefore(first)
            && !segment.acknowledgment.isAfter(receiver.end)
    }

    /// Takes in a SYN, with or without ACK, that begins its sender's side.
    fileprivate mutating func acceptSYN(
        _ segment: SegmentVariables,
        _ direction: FlowDirection,
        _ offer: TCPOptions.Offer
    ) {
        beginSide(direction, segment, offer)
        let other = direction.opposite
        // Windows are scaled if both sides offer it (RFC 7323 section 1.3).
        if windows[other].maxWindow != 0
            && (windows.scale(direction) == TCPSide.unscaled || windows.scale(other) == TCPSide.unscaled)
        {
            windows.scales = TCPSide.unscaled << 4 | TCPSide.unscaled
        }
        guard segment.flags.contains(.ack) else { return }
        // The window of a SYN is never scaled.
        take(segment, direction, edge: segment.acknowledgment, window: segment.window)
    }

    /// Takes in what a segment with ACK says.
    private mutating func take(
        _ segment: SegmentVariables,
        _ direction: FlowDirection,
        edge: UInt32,
        window: UInt32
    ) {
        let other = direction.opposite
        var sender = windows[direction]
        var receiver = windows[other]
        if !flags.contains(.acknowledged(direction)) {
            flags.insert(.acknowledged(direction))
            sender.maxAck = segment.acknowledgment
        }
        sender.note(segment, edge: edge, window: window, &receiver)
        windows[direction] = sender
        windows[other] = receiver
    }

    /// Judges a segment that fits the state, RST aside, and takes in what it says if it fits the windows as well.
    fileprivate mutating func admit(
        _ segment: SegmentVariables,
        _ direction: FlowDirection,
        _ frame: RawSpan
    ) -> TCPSide.Fit {
        let other = direction.opposite
        if segment.flags.contains(.syn) {
            if segment.flags.contains(.ack) && !flags.contains(.pickedUp)
                && !acknowledgesSYN(segment, from: direction)
            {
                return .outside
            }
            acceptSYN(segment, direction, TCPOptions.offer(frame, segment.options))
            return .inside
        }
        if windows[direction].maxWindow == 0 { adoptSide(direction, segment) }
        var edge = segment.acknowledgment
        if flags.contains(.permitsSACK(other)) && segment.optionsLength > 0 {
            edge = TCPOptions.highestEdge(frame, segment.options, beyond: edge)
        }
        let fit = TCPSide.fit(windows[direction], windows[other], segment, edge: edge)
        switch fit {
        case .inside:
            let window = TCPSide.scaled(segment.window, windows.scale(direction))
            take(segment, direction, edge: edge, window: window)
        case .surplus:
            windows[direction].end = segment.end
        case .outside where flags.contains(.pickedUp):
            // Whoever came late believes what it sees.
            if edge.isAfter(windows[other].end) { windows[other].end = edge }
            adoptSide(direction, segment)
            return .inside
        case .old, .outside: break
        }
        return fit
    }

    /// What a RST means: whether it ends the connection, is let through, or cannot be of this connection.
    fileprivate func judgeReset(_ segment: SegmentVariables, _ direction: FlowDirection) -> FlowTracker.Judgment {
        if state.isClosing { return .fits }
        if state == .synSent {
            if direction == .reply { return acknowledgesSYN(segment, from: .reply) ? .fits : .invalid }
            // The client's answer to a challenge ACK: it ends the older connection, and this one goes on.
            if flags.contains(.notedACK) && segment.sequence == noted { return .ignored }
        }
        if direction == .reply && flags.contains(.notedSYN) && segment.flags.contains(.ack)
            && segment.acknowledgment == noted
        {
            return .fits  // the far end knows of no connection, and refuses the SYN that was let through
        }
        let sender = windows[direction]
        let receiver = windows[direction.opposite]
        let isKnown = flags.contains(.acknowledged(direction.opposite))
        if isKnown && segment.sequence.isBefore(receiver.maxAck) { return .invalid }
        let isExact = (isKnown && segment.sequence == receiver.maxAck) || segment.sequence == sender.end
        if isExact { return .fits }
        if segment.sequence.isAfter(sender.maxEnd) { return flags.contains(.pickedUp) ? .ignored : .invalid }
        // In the window, but not the next number: an established peer answers with a challenge ACK, and lives on.
        if state == .established { return .ignored }
        return segment.sequence.isBefore(sender.end &- receiver.maxWindow) ? .invalid : .fits
    }

    /// Notes a SYN that is let through on an open connection.
    fileprivate mutating func noteSYN(_ segment: SegmentVariables, _ offer: TCPOptions.Offer) {
        noted = segment.end
        flags.remove([.notedACK, .notedPermitsSACK])
        flags.insert(.notedSYN)
        if offer.permitsSACK { flags.insert(.notedPermitsSACK) }
        flags.notedScale = offer.windowScale ?? TCPSide.unscaled
    }

    /// Forgets what was let through.
    fileprivate mutating func forgetNoted() { flags.remove([.notedSYN, .notedACK]) }

    /// Whether an ACK may be the answer to a SYN that was let through while the connection waits for its last ACK.
    fileprivate func awaitsChallenge(from direction: FlowDirection) -> Bool {
        state == .lastAck && direction == .reply && flags.contains(.notedSYN)
    }

    /// Begins the original side anew, with the SYN that was let through.
    fileprivate mutating func beginAnew() {
        var side = TCPSide()
        side.end = noted
        side.maxEnd = noted
        // What the SYN said of its window was not kept: it is at most this.
        side.maxWindow = 0xffff
        side.maxAck = noted
        windows = TCPWindows()
        windows[.original] = side
        windows.setScale(.original, flags.notedScale)
        let permits = flags.contains(.notedPermitsSACK)
        flags.remove([
            .notedSYN, .notedPermitsSACK, .originalPermitsSACK, .replyPermitsSACK, .originalAcknowledged,
            .replyAcknowledged, .pickedUp,
        ])
        if permits { flags.insert(.originalPermitsSACK) }
    }
}
