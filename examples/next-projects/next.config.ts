import type { NextConfig } from "next";
import { portcullisHeaders } from "portcullis/next";

const config: NextConfig = {
  poweredByHeader: false,
  headers: async () => portcullisHeaders(),
};

export default config;
