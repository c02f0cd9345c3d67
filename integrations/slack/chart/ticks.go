package chart

import (
	"math"
	"strconv"
	"time"
)

// tick is a round value on an axis.
type tick struct {
	value float64
	label string
}

// clockTicks are on round times of day.
func clockTicks(from, to float64) []tick {
	const most = 7
	step := float64(24 * 3600)
	for _, minutes := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 240, 360, 720} {
		if (to-from)/(minutes*60) <= most {
			step = minutes * 60
			break
		}
	}
	format := "15:04"
	if step >= 24*3600 {
		step *= math.Ceil((to - from) / step / most)
		format = "2 Jan"
		if step > 300*24*3600 {
			format = "2006"
		}
	}
	var ticks []tick
	for at := math.Ceil(from/step) * step; at <= to && len(ticks) <= most; at += step {
		ticks = append(ticks, tick{at, time.Unix(int64(at), 0).UTC().Format(format)})
	}
	return ticks
}

// valueTicks are from zero to a highest value.
func valueTicks(to float64) []tick {
	const most = 6
	step := math.Pow(10, math.Floor(math.Log10(to)))
	for _, part := range []float64{0.1, 0.2, 0.5} {
		if to/(part*step) <= most {
			step *= part
			break
		}
	}
	var ticks []tick
	for i := 0; float64(i)*step <= to && i <= 2*most; i++ {
		value := float64(i) * step
		ticks = append(ticks, tick{value, strconv.FormatFloat(value, 'g', 6, 64)})
	}
	return ticks
}
