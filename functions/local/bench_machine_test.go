package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// window measures the load of the machine and of one process over a period.
type window struct {
	pid       int
	began     time.Time
	idle, all float64
	cpu       time.Duration
}

// measure opens a window on a process; 0 is this one.
func measure(pid int) window {
	w := window{pid: pid, began: time.Now(), cpu: processTime(pid)}
	w.idle, w.all = machineTime()
	return w
}

// close returns the window's length, the share of the machine that was idle, and
// the processor time that the process used.
func (w window) close() (took time.Duration, idle float64, cpu time.Duration) {
	nowIdle, nowAll := machineTime()
	if nowAll > w.all {
		idle = (nowIdle - w.idle) / (nowAll - w.all)
	}
	return time.Since(w.began), idle, processTime(w.pid) - w.cpu
}

// machineTime returns, in ticks, the machine's idle and total processor time. Both
// are zero if the system does not report them.
func machineTime() (idle, all float64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line)[1:] {
		n, _ := strconv.ParseFloat(field, 64)
		if all += n; i == 3 || i == 4 { // idle, and idle waiting for a disk
			idle += n
		}
	}
	return idle, all
}

// processTime returns the processor time that a process has used; pid 0 is this
// process. For other processes the resolution is a tick, 10 ms.
func processTime(pid int) time.Duration {
	if pid == 0 {
		var usage syscall.Rusage
		if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
			return 0
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}
