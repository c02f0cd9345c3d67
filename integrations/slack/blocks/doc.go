// Package blocks shows what Stanch tells people in Slack's Block Kit. Its
// functions are pure: the same message is always the same blocks.
//
// Text of a message may be the attacker's. It goes into plain_text and
// rich_text elements, which Slack does not parse; only time tokens and the
// mention, which are ours, are parsed text.
package blocks
