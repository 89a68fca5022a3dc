-- Requests the paths of a file in turn, each thread from its own position; prints the result as JSON.

local threads = 0

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

function init(args)
   requests = {}
   for path in io.lines(args[1]) do
      requests[#requests + 1] = wrk.format("GET", path)
   end
   position = number * math.floor(#requests / 2)
end

function request()
   position = position % #requests + 1
   return requests[position]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\n{"answers": %d, "seconds": %.6f, "bytes": %d, "refused": %d, "broken": %d, "median_ms": %.3f}\n',
      summary.requests, summary.duration / 1e6, summary.bytes, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50) / 1e3))
end
