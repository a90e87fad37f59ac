-- SPDX-License-Identifier: Apache-2.0
-- freeswitch.lua - plays one call of a script for FreeSWITCH's mod_lua, without FreeSWITCH.
--
--     lua freeswitch.lua SCRIPT CALL-ID [ARGUMENT ...]
--
-- What is spoken is printed, the caller presses 4 after a second; commands run in a shell as in mod_commands.
local cjson = require "cjson"
local script, uuid = arg[1], arg[2]
argv = { [0] = script, table.unpack(arg, 3) }

local function shell(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read("a")
  pipe:close()
  return output
end

local api = {}
function api:execute(name, data)
  if name == "system" then return shell(data) end
  assert(name == "bg_system", name)
  shell(data)
  return "+OK\n"
end

local json = {}
function json:decode(text)
  local good, value = pcall(cjson.decode, text)
  return good and value or nil
end

freeswitch = {
  API = function() return api end,
  JSON = function() return json end,
  consoleLog = function(level, text) io.stderr:write(level, " ", text) end,
}

session = {}
function session:get_uuid() return uuid end
function session:answer() return 1 end
function session:set_tts_params(engine, voice) assert(engine and voice) end
function session:speak(text) print(uuid .. " says: " .. text) end
function session:getDigits(most, terminators, timeout)
  assert(most == 1 and terminators == "#" and timeout >= 1000)
  os.execute("sleep 1.1")
  return "4"
end
function session:hangup() end

dofile(script)
