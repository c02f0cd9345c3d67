package flowlog

import (
	"errors"
	"fmt"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// formatAWSCloudWatch is the envelope in which CloudWatch hands the same lines on.
func formatAWSCloudWatch() Format {
	vpc := formatAWSVPC()
	return Format{
		Name: "aws-cloudwatch", Title: "AWS VPC flow logs through a subscription of CloudWatch",
		Doc: "What a subscription filter of a log group with VPC flow logs delivers (Firehose, Kinesis, Lambda): JSON envelopes with `logEvents`, " +
			"one after the other, with or without anything between them. The lines in it are those of [aws-vpc](#aws-vpc) and say the same; " +
			"names of fields are not among them, so that a log format of one's own has to be given.",
		Layout: vpc.Layout,
		Exit:   incident.ExitCloud, Frame: ByObject, Begins: beginsAWSCloudWatch,
		New: func(o Options) (Parser, error) {
			lines, err := newAWSVPC(o.Layout)
			return &awsCloudWatch{lines: lines}, err
		},
	}
}

func beginsAWSCloudWatch(head []byte) bool {
	kind, group := false, false
	firstMembers(head, func(key []byte, v value) {
		switch string(key) {
		case "messageType":
			kind = string(v.text) == "DATA_MESSAGE" || string(v.text) == "CONTROL_MESSAGE"
		case "logGroup":
			group = v.isText
		}
	})
	return kind && group
}

// awsCloudWatch reads envelopes.
type awsCloudWatch struct {
	jsonByLine
	lines *awsVPC
}

// Parse implements [Parser].
func (p *awsCloudWatch) Parse(object []byte, e *Entry) error {
	var kind, stream []byte
	var events value
	rest, err := members(object, func(key []byte, v value) error {
		switch string(key) {
		case "messageType":
			kind = v.text
		case "logStream":
			stream = v.text
		case "logEvents":
			events = v
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(space(rest)) > 0:
		return errors.New("text after the JSON object")
	case string(kind) == "CONTROL_MESSAGE":
		return fmt.Errorf("%w: CloudWatch checks whether the destination is there", ErrNoFlow)
	case !events.array():
		return errors.New("logEvents is missing")
	}
	sensor := p.lines.names.of(stream)
	return elements(events.text, func(event value) error {
		p.event(event, sensor, e)
		return nil
	})
}

// event reads one line; what is wrong with it says nothing about the others.
func (p *awsCloudWatch) event(event value, sensor string, e *Entry) {
	var message []byte
	_, err := members(event.text, func(key []byte, v value) error {
		if string(key) == "message" && v.isText {
			message = v.bytes()
		}
		return nil
	})
	if err == nil && message == nil {
		err = errors.New("an event has no message")
	}
	if err == nil {
		err = p.lines.parse(message, sensor, e)
	}
	e.tell(err)
}
