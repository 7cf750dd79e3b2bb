# frozen_string_literal: true

# Ruby's Bunny, from Debian's package.

$LOAD_PATH.unshift(__dir__)

require "client"
require "core"
require "delivering"
require "errors"
require "publishing"
require "reconnect"
require "tls"

CLIENT.main(ARGV)
