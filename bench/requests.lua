-- Sends the requests of a file in turn, each thread from its own position; prints the result as JSON.
-- A line is a path, or a method, a path and a JSON merge patch, separated by tabs; a token may follow
-- the file's name.

local threads = 0

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

function init(args)
   requests = {}
   local headers = {["Content-Type"] = "application/merge-patch+json"}
   if args[2] then
      headers["Authorization"] = "Bearer " .. args[2]
   end
   for line in io.lines(args[1]) do
      local method, path, body = line:match("^(%u+)\t(%S+)\t(.+)$")
      if method then
         requests[#requests + 1] = wrk.format(method, path, headers, body)
      else
         requests[#requests + 1] = wrk.format("GET", line)
      end
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
      '\n{"answers": %d, "seconds": %.6f, "bytes": %d, "refused": %d, "broken": %d, "median_ms": %.3f, "p99_ms": %.3f}\n',
      summary.requests, summary.duration / 1e6, summary.bytes, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50) / 1e3,
      latency:percentile(99) / 1e3))
end
